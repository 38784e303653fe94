//! The two ports, and what goes wrong at them.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    Line, api, content, control,
    fault::Fault,
    http::{Answer, Payload, Request},
    state::{Seen, State},
};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// LINE's limit of a request's body.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// Which of LINE's hosts a port plays.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Api,
    Data,
}

/// Takes connections until it is aborted, which ends them too.
pub(crate) async fn serve(listener: TcpListener, side: Side, line: Line) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, side, line.clone()));
            }
            // Out of file descriptors, say.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(stream: TcpStream, side: Side, line: Line) {
    let service = service_fn(|request| handle(request, side, &line));
    // An error is a client that went away, or a fault that was asked for.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An error closes the connection without an answer.
async fn handle(request: hyper::Request<Incoming>, side: Side, line: &Line) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let (mut request, whole) = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => (Request::new(&head, body.to_bytes()), true),
        Err(_) => (Request::new(&head, Bytes::new()), false),
    };
    if side == Side::Api
        && let Some(answer) = control::answer(line, &request)
    {
        return Ok(render(answer, &request));
    }
    let path = head.uri.path_and_query().map_or("", |path| path.as_str());
    let (index, fault) = arrive(&mut line.state(), &request, path);
    let answer = match fault {
        _ if !whole => Answer::error(413, "Payload Too Large"),
        None => process(&mut line.state(), side, &request),
        Some(Fault::Status { status, message }) => Answer::error(status, message),
        Some(Fault::Slow(pause)) => {
            let line = line.clone();
            let late = async move {
                tokio::time::sleep(pause).await;
                let answer = process(&mut line.state(), side, &request);
                (answer, request)
            };
            // LINE does what it was told, also if the client has stopped waiting, which ends this future.
            let (answer, back) = tokio::spawn(late).await?;
            request = back;
            answer
        }
        Some(Fault::Hangup) => return Err(io::Error::other("a hang-up was asked for")),
        Some(Fault::LostAnswer) => {
            process(&mut line.state(), side, &request);
            return Err(io::Error::other("a lost answer was asked for"));
        }
        Some(Fault::LostAnswerStatus(status)) => {
            process(&mut line.state(), side, &request);
            Answer::error(status, "Internal Server Error")
        }
    };
    if let Some(seen) = line.state().seen.get_mut(index) {
        seen.status = Some(answer.status);
    }
    Ok(render(answer, &request))
}

fn arrive(state: &mut State, request: &Request, path: &str) -> (usize, Option<Fault>) {
    state.seen.push(Seen {
        method: request.method.clone(),
        path: path.into(),
        status: None,
        body: request.body.to_vec(),
        retry_key: request.header("x-line-retry-key").map(Into::into),
        authorization: request.header("authorization").map(Into::into),
    });
    (state.seen.len() - 1, state.faults.take(path))
}

fn process(state: &mut State, side: Side, request: &Request) -> Answer {
    if request.path == "/oauth2/v3/token" {
        return api::issue_token(state, request);
    }
    if let Err(refusal) = api::authenticate(state, request) {
        return refusal;
    }
    match side {
        Side::Api => api::answer(state, request),
        Side::Data => content::answer(state, request),
    }
}

fn render(answer: Answer, request: &Request) -> Response<Body> {
    let status = answer.status();
    let mut response = Response::new(match answer.payload {
        Payload::Whole(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
        Payload::Endless(endless) => StreamBody::new(endless.stream()).boxed_unsync(),
    });
    *response.status_mut() = status;
    for (name, value) in answer.headers.into_iter().chain([("x-line-request-id", request.id.clone())]) {
        // What a test put as a type or a place may be no header.
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

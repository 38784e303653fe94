//! A side behind a small axum service, in a process of its own: what a request costs, and not the database's part alone.

use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::load::{self, Client, Failure, Feed, Post, Written};

/// [`Written`] on its way.
type Said = ((i64, String), i64, u64, u64);
type Answer<T> = Result<Json<T>, (StatusCode, String)>;

/// Serves a side on a free port, which it prints, until it is killed.
pub(crate) async fn serve(side: impl Client) -> Result<(), Failure> {
    let app = Router::new()
        .route("/feeds/{id}", get(feeds))
        .route("/list/{from}", get(list))
        .route("/write/{author}", post(write))
        .route("/number", post(number))
        .with_state(Arc::new(side));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn feeds<C: Client>(State(side): State<Arc<C>>, Path(id): Path<i64>) -> Answer<Vec<Feed>> {
    answer(side.feeds(id).await)
}

async fn list<C: Client>(State(side): State<Arc<C>>, Path(from): Path<i64>) -> Answer<Vec<Feed>> {
    answer(side.list(from).await)
}

async fn write<C: Client>(State(side): State<Arc<C>>, Path(author): Path<i64>) -> Answer<Said> {
    let written = side.write(load::post(author)).await;
    answer(written.map(|Written { author, feed, counted, jobs }| (author, feed, counted, jobs)))
}

async fn number<C: Client>(State(side): State<Arc<C>>, sql: String) -> Answer<i64> {
    answer(side.number(sql.leak()).await) // four in all
}

fn answer<T>(result: Result<T, Failure>) -> Answer<T> {
    result.map(Json).map_err(|e| (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))
}

/// The other end: asks over as many connections as there are tasks.
pub(crate) struct Http {
    server: Child,
    address: SocketAddr,
    idle: Mutex<Vec<BufReader<TcpStream>>>,
}

impl Http {
    /// Starts this program once more, as the server of this side.
    pub(crate) async fn start(side: &str, url: &str) -> Result<Http, Failure> {
        let mut server = Command::new(std::env::current_exe()?);
        server.args(["serve", side, url]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut server = server.spawn()?;
        let said = server.stdout.take().ok_or("its answer is not piped")?;
        let said = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(said), &mut line).map(|_| line)
        });
        let line = said.await??;
        let address = line.trim().parse();
        let mut http = Http { server, address: ([0, 0, 0, 0], 0).into(), idle: Mutex::default() };
        http.address = address.map_err(|_| format!("the server of {side} did not start"))?;
        Ok(http)
    }

    async fn ask<T: DeserializeOwned>(&self, method: &str, path: &str, body: &str) -> Result<T, Failure> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let connection = TcpStream::connect(self.address).await?;
                connection.set_nodelay(true)?;
                BufReader::new(connection)
            }
        };
        let length = body.len();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {length}\r\n\r\n{body}");
        connection.write_all(request.as_bytes()).await?;
        let (mut line, mut length, mut status) = (String::new(), 0, String::new());
        while connection.read_line(&mut line).await? > 2 {
            if status.is_empty() {
                status = line.trim().to_owned();
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse()?;
            }
            line.clear();
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await?;
        if status != "HTTP/1.1 200 OK" {
            return Err(format!("{method} {path}: {status}: {}", String::from_utf8_lossy(&body)).into());
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(serde_json::from_slice(&body)?)
    }
}

impl Client for Http {
    async fn feeds(&self, id: i64) -> Result<Vec<Feed>, Failure> {
        self.ask("GET", &format!("/feeds/{id}"), "").await
    }

    async fn list(&self, from: i64) -> Result<Vec<Feed>, Failure> {
        self.ask("GET", &format!("/list/{from}"), "").await
    }

    async fn write(&self, post: Post) -> Result<Written, Failure> {
        let said = self.ask("POST", &format!("/write/{}", post.author), "").await;
        said.map(|(author, feed, counted, jobs): Said| Written { author, feed, counted, jobs })
    }

    async fn number(&self, sql: &'static str) -> Result<i64, Failure> {
        self.ask("POST", "/number", sql).await
    }

    fn process(&self) -> Option<u32> {
        Some(self.server.id())
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        let _ended_already = self.server.kill();
        let _ended_already = self.server.wait();
    }
}

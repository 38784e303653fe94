//! Where LINE delivers events: each is verified, taken once, and answered for at once; what it brings about is a job.

use std::{collections::HashSet, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName},
};
use greenlit::{Opts, Tx};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    event::{Delivery, Event},
    jobs, queries, signature,
};
use crate::{
    app::App,
    error::{Code, Result},
    http::{
        body::{Reservation, read_all},
        client::ClientAddress,
        json::Json,
    },
    openapi::{Message, Problem},
};

/// LINE sends less.
const BODY_LIMIT: usize = 1024 * 1024;
/// LINE waits for two seconds, and delivers again what was not answered by then.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long an event that was taken is known; older ones are not taken at all.
pub(super) const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// So much earlier, since clocks differ.
const MARGIN: Duration = Duration::from_secs(24 * 60 * 60);
const SIGNATURE: HeaderName = HeaderName::from_static("x-line-signature");

pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(take_events))
}

/// Whether it is this route, to which many send from one network: LINE, which signs. Whoever does not is counted there.
pub(crate) fn is_webhook(path: &str) -> bool {
    path.ends_with("/line/webhook")
}

/// Deliver events
///
/// For LINE alone, which signs the body by the channel secret. An event is taken once, by its `webhookEventId`.
#[utoipa::path(
    post, path = "/api/line/webhook", tag = "line",
    params(("x-line-signature" = String, Header, description = "Base64 of the body's HMAC-SHA256")),
    request_body(content = Object, description = "`destination` and `events`, as LINE has them"),
    responses(
        (status = 200, description = "Taken, or taken before, or nothing that we know", body = Message),
        (status = 400, description = "`broken_body`: it is signed, and no JSON", body = Problem),
        (status = 401, description = "`invalid_signature`", body = Problem),
        (status = 404, description = "`not_found`: the board has no account at LINE", body = Problem),
    ),
)]
async fn take_events(
    State(app): State<App>,
    client: ClientAddress,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Message>> {
    let line = app.line.as_ref().ok_or(Code::NotFound)?;
    app.limits.network(client, 1)?;
    let mut reservation = Reservation::default();
    let body = read_all(&headers, body, BODY_LIMIT, &mut reservation).await?;
    let signature = headers.get(SIGNATURE).map_or(&[][..], |value| value.as_bytes());
    if !signature::verify(&line.settings.channel_secret, &body, signature) {
        return Err(Code::InvalidSignature.into());
    }
    app.limits.network_again(client, 1);
    let delivery = Delivery::parse(&body).ok_or(Code::BrokenBody)?;
    let own = line.settings.bot_user_id.as_deref();
    if own.is_none_or(|own| delivery.destination.as_deref() == Some(own)) {
        take(&app, delivery.events).await?;
    }
    Ok(Json(Message { message: "Taken" }))
}

/// Takes those of the events that were not taken before, all or none.
async fn take(app: &App, events: Vec<Event>) -> Result<()> {
    let oldest = app.clock.now().before(KEPT - MARGIN);
    let mut seen = HashSet::new();
    let is_new = |event: &Event| event.sent() > oldest;
    let events: Vec<Event> =
        events.into_iter().filter(|event| is_new(event) && seen.insert(event.id.clone())).collect();
    if events.is_empty() {
        return Ok(());
    }
    let mut ids: Vec<String> = events.iter().map(|event| event.id.clone()).collect();
    // Whoever takes some of the same does so in the same order.
    ids.sort_unstable();
    let take = async |tx: &mut Tx| {
        let taken: HashSet<String> = queries::taken(tx, &ids).await?.into_iter().collect();
        let mut new: Vec<&Event> = events.iter().filter(|event| !taken.contains(&event.id)).collect();
        for event in &new {
            tx.outbox(jobs::topic_of(event), event).await?;
            tx.after_commit(app.wake_worker(jobs::topic_of(event)));
        }
        new.sort_unstable_by_key(|event| &event.id);
        for event in new {
            queries::take(tx, event, app.clock.now()).await?;
        }
        Ok::<_, greenlit::Error>(())
    };
    let take = async {
        loop {
            match app.db.tx(Opts::default().within(PATIENCE), take).await {
                // The same delivery arrived twice at once: who is second finds what the first has taken.
                Err(e) if e.unique().is_some() => {}
                taken => return taken,
            }
        }
    };
    let taken = tokio::time::timeout(PATIENCE, take).await;
    Ok(taken.unwrap_or(Err(greenlit::Error::Deadline))?)
}

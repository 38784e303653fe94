//! Log-ins: one for each device, each gone on with by refresh tokens and ended alone or with the others.

use std::time::Duration;

use greenlit::{Opts, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    UserId,
    model::{LoginId, User},
    queries,
    refresh::Place,
    token::{self, Bearer},
};
use crate::{
    app::App,
    clock::Timestamp,
    error::{Code, Result},
};

/// How long a log-in lasts after it was last gone on with.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a token that was exchanged gives its successor once more, for a client whose answer was lost.
const GRACE: Duration = Duration::from_secs(10);
/// How many log-ins a user has at once; one more ends the oldest.
const LOGINS: i64 = 100;
/// How many log-ins that expired are swept in one transaction.
const SWEEP: i64 = 500;

/// What a client goes on with.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenPair {
    /// For the `Authorization: Bearer` header; lasts one day.
    pub(super) access_token: String,
    /// Good once, for the next pair, within 30 days.
    pub(super) refresh_token: String,
    /// How long the access token lasts, in seconds.
    pub(super) expires_in: u64,
}

fn pair(app: &App, bearer: Bearer, place: Place) -> Result<TokenPair> {
    Ok(TokenPair {
        access_token: app.tokens.make(bearer)?,
        refresh_token: app.tokens.refresh.write(place),
        expires_in: token::LIFETIME.as_secs(),
    })
}

/// Begins a log-in of a user whose password was right by the hash `verified`, and makes `hash` his. `None` if the hash is
/// another meanwhile, or the user may no longer log in.
pub(super) async fn begin(app: &App, user: &User, verified: &str, hash: &str) -> Result<Option<TokenPair>> {
    let (place, now) = (Place::first(), app.clock.now());
    let begin = async |tx: &mut Tx| {
        if !queries::replace_hash(tx, user.id, verified, hash).await? {
            return Ok(None);
        }
        let epoch = queries::token_epoch(tx, user.id).await?;
        let login = queries::begin(tx, user.id, &place.family_hash(), now, now.after(LIFETIME)).await?;
        queries::end_surplus(tx, user.id, LOGINS).await?;
        Ok::<_, greenlit::Error>(Some(Bearer { user: user.id, login, epoch }))
    };
    let bearer = app.db.tx(Opts::default(), begin).await?;
    bearer.map(|bearer| pair(app, bearer, place)).transpose()
}

/// What a refresh token turned out to be.
enum Found {
    Good(Bearer, Place),
    /// Used before, so that somebody else has it too.
    Reused(UserId, LoginId),
    Ended,
}

/// Exchanges a refresh token for its successor. A token that was exchanged before ends its log-in, since either the client
/// or somebody else has stolen it; within [`GRACE`] it gives the same successor again.
///
/// # Errors
/// 401 for any token that is not good.
pub(super) async fn refresh(app: &App, token: &str) -> Result<TokenPair> {
    let place = app.tokens.refresh.read(token).ok_or(Code::InvalidToken)?;
    let now = app.clock.now();
    match app.db.tx(Opts::default(), async |tx| exchange(tx, place, now).await).await? {
        Found::Good(bearer, successor) => pair(app, bearer, successor),
        Found::Reused(user, login) => {
            tracing::warn!(user = user.0, login = login.0, "a refresh token was used again: its login is ended");
            Err(Code::InvalidToken.into())
        }
        Found::Ended => Err(Code::InvalidToken.into()),
    }
}

async fn exchange(tx: &mut Tx, place: Place, now: Timestamp) -> greenlit::Result<Found> {
    let Some(family) = queries::lock_family(tx, &place.family_hash(), now).await? else { return Ok(Found::Ended) };
    let next = place.successor();
    if place.number == family.generation {
        queries::rotate(tx, family.id, next.number, now, now.after(LIFETIME)).await?;
    } else if next.number != family.generation || now > family.rotate_dt.after(GRACE) {
        queries::end(tx, family.id).await?;
        return Ok(Found::Reused(family.user_id, family.id));
    }
    Ok(Found::Good(Bearer { user: family.user_id, login: family.id, epoch: family.token_epoch }, next))
}

/// Removes log-ins that nobody went on with, some at a time; returns how many.
pub(crate) async fn sweep(app: &App) -> greenlit::Result<usize> {
    let now = app.clock.now();
    let expired = queries::expired(&mut app.db.single(), now, SWEEP).await?;
    if expired.is_empty() {
        return Ok(0);
    }
    app.db.tx(Opts::default(), async |tx| queries::end_expired(tx, &expired, now).await).await?;
    Ok(expired.len())
}

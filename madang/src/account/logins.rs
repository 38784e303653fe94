//! Log-ins: one for each device, each gone on with by refresh tokens and ended alone or with the others.

use std::time::Duration;

use greenlit::{Opts, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    UserId,
    model::{Credentials, LoginId, User},
    password, queries,
    refresh::Place,
    token::{self, Bearer},
};
use crate::{
    app::App,
    clock::Timestamp,
    error::{Code, Result},
};

/// How long a log-in lasts after it was last gone on with.
pub(super) const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
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

/// A user whose password was right by the hash `verified`, and the hash that shall be his from now on.
struct Known {
    user: User,
    verified: String,
    hash: String,
}

/// Begins a log-in that goes on by refresh tokens.
///
/// # Errors
/// 401, whatever is wrong, and after the same work.
pub(super) async fn log_in(app: &App, credentials: &Credentials) -> Result<(User, TokenPair)> {
    let place = Place::first();
    let (user, bearer) = begin(app, credentials, &place.family_hash()).await?;
    Ok((user, pair(app, bearer, place)?))
}

/// Begins a log-in that the database knows by this hash.
///
/// # Errors
/// 401, whatever is wrong, and after the same work.
pub(super) async fn begin(app: &App, credentials: &Credentials, family_hash: &str) -> Result<(User, Bearer)> {
    // Twice, as it happens to the second of two at once, of a user of the board before.
    for _ in 0..2 {
        let known = verify(app, credentials).await?;
        if let Some(bearer) = begin_of(app, &known, family_hash).await? {
            return Ok((known.user, bearer));
        }
    }
    Err(Code::InvalidCredentials.into())
}

/// Verifies a password, and has a hash of the board before replaced by one of today's.
async fn verify(app: &App, credentials: &Credentials) -> Result<Known> {
    let found = queries::by_email(&mut app.db.single(), &credentials.email).await?;
    let hash = found.as_ref().map(|login| login.password_hash.clone());
    let right = app.passwords.verify(credentials.password.clone(), hash).await?;
    let queries::Login { user, password_hash: verified } = found.filter(|_| right).ok_or(Code::InvalidCredentials)?;
    let hash = match password::is_outdated(&verified) {
        true => app.passwords.hash(credentials.password.clone()).await?,
        false => verified.clone(),
    };
    Ok(Known { user, verified, hash })
}

/// `None` if the hash is another meanwhile, or the user may no longer log in.
async fn begin_of(app: &App, known: &Known, family_hash: &str) -> Result<Option<Bearer>> {
    let (user, now) = (known.user.id, app.clock.now());
    let begin = async |tx: &mut Tx| {
        if !queries::replace_hash(tx, user, &known.verified, &known.hash).await? {
            return Ok(None);
        }
        let epoch = queries::token_epoch(tx, user).await?;
        let login = queries::begin(tx, user, family_hash, now, now.after(LIFETIME)).await?;
        queries::end_surplus(tx, user, LOGINS).await?;
        Ok::<_, greenlit::Error>(Some(Bearer { user, login, epoch }))
    };
    Ok(app.db.tx(Opts::default(), begin).await?)
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

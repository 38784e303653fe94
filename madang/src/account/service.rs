//! What changes an account, by its owner, an administrator or the operator. Takes the transaction, never commits.

use greenlit::{Opts, Tx};

use super::{
    Actor, UserId,
    model::{Email, NewUser, Nickname, PasswordChange},
    queries,
};
use crate::{
    app::App,
    clock::Timestamp,
    config::Signup,
    error::{Code, Error, Result},
    http::client::ClientAddress,
};

/// Makes an account, and tells when.
///
/// # Errors
/// 403 if nobody may sign up, 400 if address or nickname are another's, 429, 503 if too many wait to have passwords hashed.
pub(super) async fn sign_up(app: &App, client: ClientAddress, new: NewUser) -> Result<Timestamp> {
    if app.config.signup == Signup::Closed {
        return Err(Code::SignupClosed.into());
    }
    app.limits.sign_up(client)?;
    let NewUser { email, nickname, password } = new;
    let now = app.clock.now();
    // Before the transaction: hashing takes tens of milliseconds.
    let hash = app.passwords.hash(password).await?;
    app.db.tx(Opts::default(), async |tx| queries::insert(tx, &email, &nickname, &hash, now).await).await?;
    Ok(now)
}

/// The hash of the user's password, if this is the password. What it is good for must check that the hash is still his.
/// A wrong one counts as a log-in that failed: whoever has stolen a token may not guess more often than others.
///
/// # Errors
/// 403 if it is not; 429 if it was guessed too often; 503 if too many wait to have theirs verified.
pub(crate) async fn verified(app: &App, client: ClientAddress, actor: &Actor, password: String) -> Result<String> {
    let attempt = app.limits.log_in(client, &actor.email.key())?;
    let hash = queries::password_hash(&mut app.db.single(), actor.id).await?;
    let right = app.passwords.verify(password, hash.clone()).await?;
    let hash = hash.filter(|_| right).ok_or(Code::PermissionDenied)?;
    attempt.succeeded();
    Ok(hash)
}

/// Gives the user another password and ends his other log-ins.
///
/// # Errors
/// 403 if the old one is wrong, or was changed since it was verified; 429; 503.
pub(crate) async fn change_password(
    app: &App,
    client: ClientAddress,
    actor: &Actor,
    change: PasswordChange,
) -> Result<()> {
    let verified = verified(app, client, actor, change.password).await?;
    let hash = app.passwords.hash(change.new_password).await?;
    let change = async |tx: &mut Tx| {
        confirm(tx, actor, &verified, &hash).await?;
        Ok(queries::end_others(tx, actor.id, actor.login).await?)
    };
    app.db.tx(Opts::default(), change).await.map_err(|e: Error| match e.code() {
        // The loser of two changes at once.
        Code::PermissionDenied => e.caused_by("the password was changed meanwhile"),
        _ => e,
    })
}

/// Changes the nickname.
///
/// # Errors
/// 400 if it is another's, 401 if the user is gone.
pub(crate) async fn rename(tx: &mut Tx, actor: &Actor, nickname: &Nickname) -> Result<()> {
    let found = queries::set_nickname(tx, actor.id, nickname).await?;
    if found { Ok(()) } else { Err(Code::InvalidToken.into()) }
}

/// Changes the e-mail address.
///
/// # Errors
/// 400 if it is another's, 403 if the password was changed since it was verified.
pub(crate) async fn readdress(tx: &mut Tx, actor: &Actor, verified: &str, email: &Email) -> Result<()> {
    confirm(tx, actor, verified, verified).await?;
    Ok(queries::set_email(tx, actor.id, email).await?)
}

/// Makes the user nobody from now on: his log-ins end, his address and nickname are free. What he wrote is yet to be removed.
///
/// # Errors
/// 403 if the password was changed since it was verified.
pub(crate) async fn erase(tx: &mut Tx, actor: &Actor, verified: &str, now: Timestamp) -> Result<()> {
    confirm(tx, actor, verified, verified).await?;
    queries::erase(tx, actor.id, now).await?;
    Ok(queries::end_all(tx, actor.id).await?)
}

/// Ends all log-ins of the user, and every token of his that anybody has.
pub(super) async fn end_everywhere(tx: &mut Tx, user: UserId) -> greenlit::Result<()> {
    queries::raise_epoch(tx, user).await?;
    queries::end_all(tx, user).await
}

/// Shuts a user out until it is lifted, and ends his log-ins. Tells whether there is such a user.
pub(crate) async fn suspend(tx: &mut Tx, user: UserId, now: Timestamp) -> greenlit::Result<bool> {
    let found = queries::suspend(tx, user, now).await?;
    queries::end_all(tx, user).await?;
    Ok(found)
}

/// Lets a suspended user in again. Tells whether there is such a user.
pub(crate) async fn lift(tx: &mut Tx, user: UserId) -> greenlit::Result<bool> {
    queries::lift(tx, user).await
}

/// Gives the user another password, for an operator, and ends all his log-ins.
pub(crate) async fn reset_password(tx: &mut Tx, user: UserId, hash: &str) -> greenlit::Result<()> {
    queries::reset_password(tx, user, hash).await?;
    queries::end_all(tx, user).await
}

async fn confirm(tx: &mut Tx, actor: &Actor, verified: &str, hash: &str) -> Result<()> {
    let still = queries::replace_hash(tx, actor.id, verified, hash).await?;
    if still { Ok(()) } else { Err(Code::PermissionDenied.into()) }
}

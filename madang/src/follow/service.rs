//! What spans tables: follows with the counts of both users. Takes the transaction, never commits.

use greenlit::Tx;

use super::{
    events::{BEGUN, Begun},
    model::Followers,
    queries,
};
use crate::{
    account::UserId,
    app::App,
    error::{Code, Result},
};

/// Makes one user follow another, or not; `None` turns what is into its opposite.
///
/// # Errors
/// 400 if both are the same, 404 if the other is not there.
pub(super) async fn set(
    app: &App,
    tx: &mut Tx,
    follower: UserId,
    following: UserId,
    wanted: Option<bool>,
) -> Result<Followers> {
    if follower == following {
        return Err(Code::OwnFollow.into());
    }
    // Before it looks, so that nobody else writes in between; in the order of ids, so that two who follow each other do
    // not wait for each other.
    queries::lock(tx, UserId(follower.0.min(following.0))).await?;
    queries::lock(tx, UserId(follower.0.max(following.0))).await?;
    let before = queries::of(tx, follower, following).await?.ok_or(Code::UserNotFound)?;
    let followed = wanted.unwrap_or(!before.followed);
    if followed == before.followed {
        return Ok(before);
    }
    let delta = if followed { 1 } else { -1 };
    if followed {
        queries::insert(tx, follower, following, app.clock.now()).await?;
        tx.outbox(BEGUN, &Begun { follower: follower.0, following: following.0 }).await?;
        tx.after_commit(app.wake_worker(BEGUN));
    } else {
        queries::delete(tx, follower, following).await?;
    }
    queries::count(tx, follower, following, delta).await?;
    Ok(Followers { follower_count: before.follower_count + delta, followed })
}

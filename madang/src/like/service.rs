//! What spans tables: likes with the counts of what is liked. Takes the transaction, never commits.

use greenlit::Tx;

use super::{
    events::{GIVEN, Given},
    model::{Likes, Target},
    queries,
};
use crate::{
    account::UserId,
    app::App,
    comment,
    error::{Code, Result},
    feed,
};

/// Makes the user like the target, or not; `None` turns what is into its opposite.
///
/// # Errors
/// 404 if there is no such target.
pub(super) async fn set(app: &App, tx: &mut Tx, target: Target, user: UserId, wanted: Option<bool>) -> Result<Likes> {
    // First, since what follows looks before it writes: the lock lets nobody else do so in between.
    let (there, missing) = match target {
        Target::Feed(id) => (feed::lock(tx, id).await?, Code::FeedNotFound),
        Target::Comment(id) => (comment::lock(tx, id).await?, Code::CommentNotFound),
    };
    if !there {
        return Err(missing.into());
    }
    let before = queries::of(tx, target, user).await?;
    let liked = wanted.unwrap_or(!before.liked);
    if liked == before.liked {
        return Ok(before);
    }
    let delta = if liked { 1 } else { -1 };
    if liked {
        queries::insert(tx, target, user, app.clock.now()).await?;
        tx.outbox(GIVEN, &given(target, user)).await?;
        tx.after_commit(app.wake_worker(GIVEN));
    } else {
        queries::delete(tx, target, user).await?;
    }
    match target {
        Target::Feed(id) => feed::count_likes(tx, id, delta).await?,
        Target::Comment(id) => comment::count_likes(tx, id, delta).await?,
    }
    Ok(Likes { like_count: before.like_count + delta, liked })
}

fn given(target: Target, user: UserId) -> Given {
    match target {
        Target::Feed(feed) => Given::Feed { feed: feed.0, user: user.0 },
        Target::Comment(comment) => Given::Comment { comment: comment.0, user: user.0 },
    }
}

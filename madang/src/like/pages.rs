//! The forms that like and take likes back.

use axum::{extract::State, response::Response, routing::post};
use greenlit::{Opts, Tx};

use super::{
    model::{Likes, Target},
    queries, service,
};
use crate::{
    account::Member,
    app::App,
    comment::CommentId,
    error::Result,
    feed::FeedId,
    http::query::PathFields,
    web::{Answer, Pages, Swap, part, parts::LikeButton},
};

pub(crate) fn pages() -> Pages<App> {
    Pages::new()
        .at("/feed/{feed_id}/like", post(like_feed))
        .at("/feed/{feed_id}/unlike", post(unlike_feed))
        .at("/comment/{comment_id}/like", post(like_comment))
        .at("/comment/{comment_id}/unlike", post(unlike_comment))
}

async fn like_feed(state: State<App>, member: Member, path: PathFields) -> Result<Response> {
    set(state, member, feed(&path)?, true).await
}

async fn unlike_feed(state: State<App>, member: Member, path: PathFields) -> Result<Response> {
    set(state, member, feed(&path)?, false).await
}

async fn like_comment(state: State<App>, member: Member, path: PathFields) -> Result<Response> {
    set(state, member, comment(&path)?, true).await
}

async fn unlike_comment(state: State<App>, member: Member, path: PathFields) -> Result<Response> {
    set(state, member, comment(&path)?, false).await
}

fn feed(path: &PathFields) -> Result<Target> {
    crate::feed::feed_id(path).map(Target::Feed)
}

fn comment(path: &PathFields) -> Result<Target> {
    crate::comment::comment_id(path).map(Target::Comment)
}

async fn set(State(app): State<App>, member: Member, target: Target, wanted: bool) -> Result<Response> {
    let Member { actor, frame } = member;
    let set = async |tx: &mut Tx| {
        let likes = service::set(&app, tx, target, actor.id, Some(wanted)).await?;
        let feed = match target {
            Target::Feed(id) => id,
            Target::Comment(id) => queries::feed_of(tx, id).await?,
        };
        Ok::<_, crate::error::Error>((likes, feed))
    };
    let (Likes { like_count, liked }, feed) = app.db.tx(Opts::default(), set).await?;
    let (kind, id) = match target {
        Target::Feed(FeedId(id)) => ("feed", id),
        Target::Comment(CommentId(id)) => ("comment", id),
    };
    let button = LikeButton { frame: &frame, kind, id, liked, count: like_count };
    let notice = frame.t(if liked { "notice-liked" } else { "notice-unliked" });
    let swaps = vec![Swap::replace(format!("#like-{kind}-{id}"), part(&button)?)];
    Ok(Answer::stay(format!("/feed/{}#like-{kind}-{id}", feed.0), swaps, notice).to(&frame))
}

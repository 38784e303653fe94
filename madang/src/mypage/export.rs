//! One's own data and images as a ZIP, made while it is sent: nothing waits on a disk, no transaction is open while an image
//! is read, and a client that is slow holds back a few pages of rows, no more.
//!
//! If the database or the store fails under way the connection ends early, which a client sees.

mod archive;
pub(crate) mod queries;

use std::{collections::HashSet, io};

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    archive::Archive,
    queries::{Comment, Feed, Follow, Keyed, Like, List, OwnImage},
};
use crate::{account::Actor, app::App, line, notification, openapi::Problem};

pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(export))
}

/// Export one's own data
///
/// A ZIP of JSON files (`profile`, `feeds`, `comments`, `feed_likes`, `comment_likes`, `followings`, `followers`, `images`) and
/// of the images of one's feeds. An image that is not to be found is told in `images.json`.
#[utoipa::path(
    get, path = "/api/mypage/export", tag = "mypage", security(("bearer" = [])),
    responses(
        (status = 200, description = "The archive", content_type = "application/zip"),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = Problem),
    ),
)]
async fn export(State(app): State<App>, actor: Actor) -> Response {
    archive_of(app, actor)
}

/// The archive of what is this user's.
pub(super) fn archive_of(app: App, actor: Actor) -> Response {
    let (out, pieces) = mpsc::channel(1);
    tokio::spawn(async move {
        let failed = Export { app: &app, actor: &actor, archive: Archive::new(out.clone()) }.write().await.err();
        if let Some(e) = failed.filter(|_| !out.is_closed()) {
            tracing::warn!(cause = %e, user = actor.id.0, "an export ended early");
            let _ = out.send(Err(e)).await;
        }
    });
    let pieces = stream::unfold(pieces, async |mut pieces| pieces.recv().await.map(|piece| (piece, pieces)));
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"madang-export.zip\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

struct Export<'a> {
    app: &'a App,
    actor: &'a Actor,
    archive: Archive,
}

impl Export<'_> {
    async fn write(mut self) -> io::Result<()> {
        let Actor { id, email, nickname, is_admin, create_dt, .. } = self.actor;
        let mut single = self.app.db.single();
        let settings = notification::settings(&mut single, *id).await.map_err(io::Error::other)?;
        let linked = line::linked_since(&mut single, *id).await.map_err(io::Error::other)?;
        let profile = json!({
            "id": id, "email": email, "nickname": nickname, "is_admin": is_admin, "create_dt": create_dt,
            "notification_settings": settings, "line_link_dt": linked,
        });
        self.archive.begin("profile.json")?;
        self.archive.write(profile.to_string().as_bytes()).await?;
        self.list("feeds.json", List::Feeds, |row: &Feed| json(row)).await?;
        self.list("comments.json", List::Comments, |row: &Comment| json(row)).await?;
        self.list("feed_likes.json", List::FeedLikes, |row: &Like| json(row)).await?;
        self.list("comment_likes.json", List::CommentLikes, |row: &Like| json(row)).await?;
        self.list("followings.json", List::Followings, |row: &Follow| json(row)).await?;
        self.list("followers.json", List::Followers, |row: &Follow| json(row)).await?;
        let missing = self.images().await?;
        let describe = |row: &OwnImage| {
            let (image, name) = (&row.image, row.image.file_name());
            json(&json!({
                "feed_id": image.feed_id, "position": image.position, "width": image.width, "height": image.height,
                "missing": missing.contains(&name), "file": format!("images/{name}"),
            }))
        };
        self.list("images.json", List::Images, describe).await?;
        self.archive.finish().await
    }

    /// Writes a list as a JSON array.
    async fn list<R: Keyed>(
        &mut self,
        file: &str,
        list: List,
        describe: impl Fn(&R) -> io::Result<Vec<u8>> + Send,
    ) -> io::Result<()> {
        self.archive.begin(file)?;
        let mut opening: &[u8] = b"[\n";
        let mut after = 0;
        loop {
            let rows = self.page::<R>(list, after).await?;
            for row in &rows {
                self.archive.write(opening).await?;
                self.archive.write(&describe(row)?).await?;
                opening = b",\n";
                after = row.key();
            }
            if rows.is_empty() {
                break;
            }
        }
        let closing: &[u8] = if after == 0 { b"[]" } else { b"\n]" };
        self.archive.write(closing).await
    }

    /// Writes the images; returns the names of those that are not to be found.
    async fn images(&mut self) -> io::Result<HashSet<String>> {
        let (mut missing, mut after) = (HashSet::new(), 0);
        loop {
            let rows = self.page::<OwnImage>(List::Images, after).await?;
            for row in &rows {
                after = row.key();
                let name = row.image.file_name();
                let mut pieces = match self.app.media.pieces(&row.image).await {
                    Ok(pieces) => pieces,
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {
                        missing.insert(name);
                        continue;
                    }
                    Err(e) => return Err(e),
                };
                self.archive.begin(&format!("images/{name}"))?;
                while let Some(piece) = pieces.next().await {
                    self.archive.write(&piece?).await?;
                }
            }
            if rows.is_empty() {
                return Ok(missing);
            }
        }
    }

    async fn page<R: Keyed>(&self, list: List, after: i64) -> io::Result<Vec<R>> {
        queries::page(&mut self.app.db.single(), list, self.actor.id, after).await.map_err(io::Error::other)
    }
}

fn json(row: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(row)?)
}

//! What happens to images, and what it changes if it is acknowledged.

use std::time::Duration;

use axum::http::Method;
use futures_util::future::BoxFuture;
use greenlit::{Opts, args};
use madang::{
    app::App,
    jobs,
    media::{picture::Format, store::Name},
};
use serde_json::json;

use super::model::{Feed, picture};
use crate::support::{Answer, Client, PASSWORD, form::FormData};

/// One of these at a time is chosen by chance. A feed is the number of one that is there, modulo how many there are; each flag
/// of `wide` is a picture, with a thumbnail or without.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Create {
        user: usize,
        wide: Vec<bool>,
    },
    /// Removes so many of the first images and appends others.
    Update {
        feed: usize,
        removed: usize,
        wide: Vec<bool>,
    },
    Delete {
        feed: usize,
    },
    Erase {
        user: usize,
    },
    /// What a process leaves that was killed after it staged an image, before or after it stored that.
    Killed {
        user: usize,
        stored: bool,
    },
    /// An hour passes.
    Expire,
    /// The worker and the sweeper of a node do all that is due; what waits for its next attempt becomes due, as after an
    /// hour, also if another node has it.
    Work,
}

/// What an act changes. Feeds are named by the numbers that are their titles.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    None,
    Create(u32, Feed),
    Update { feed: u32, removed: Vec<u32>, added: Vec<u32> },
    Delete(u32),
    Erase(usize),
}

impl Effect {
    /// What may come back from the board while other things happen: the effect, or a refusal that says why there is none.
    pub(super) fn statuses(&self) -> &'static [u16] {
        match self {
            Effect::None => &[],
            Effect::Create(..) => &[200, 401, 503],
            // Of two erasures at once the second finds no password.
            Effect::Erase(_) => &[200, 401, 403, 503],
            // An image to remove may be gone.
            Effect::Update { .. } => &[200, 401, 404, 422, 503],
            Effect::Delete(_) => &[200, 401, 404, 503],
        }
    }
}

/// What an act does, ready to run. Only requests have answers.
pub(super) type Doing = BoxFuture<'static, Option<Answer>>;

pub(super) fn create(client: Client, title: u32, widths: &[u32]) -> Doing {
    let pictures: Vec<_> = widths.iter().copied().map(picture).collect();
    let form = FormData::new().text("title", &title.to_string()).text("content", "c").files("images", &pictures);
    Box::pin(async move { Some(client.form(Method::POST, "/api/feed/create", form).await) })
}

pub(super) fn update(client: Client, id: i64, title: u32, removed: Vec<String>, added: &[u32]) -> Doing {
    let pictures: Vec<_> = added.iter().copied().map(picture).collect();
    let form = FormData::new().text("title", &title.to_string()).text("content", "c");
    let form = removed.iter().fold(form, |form, url| form.text("target_image_urls", url));
    let form = form.files("new_images", &pictures);
    Box::pin(async move { Some(client.form(Method::PATCH, &format!("/api/feed/update/{id}"), form).await) })
}

pub(super) fn delete(client: Client, id: i64) -> Doing {
    Box::pin(async move { Some(client.delete(&format!("/api/feed/delete/{id}")).await) })
}

pub(super) fn erase(client: Client) -> Doing {
    let body = json!({"password": PASSWORD});
    Box::pin(async move { Some(client.json(Method::DELETE, "/api/mypage/profile", body).await) })
}

pub(super) fn killed(app: App, user: i64, stored: bool) -> Doing {
    Box::pin(async move {
        let name = Name::random(Format::Png);
        let insert = "insert into images (image_key, extension, owner_id, position, width, height, expire_dt) \
                      values (?, 'png', ?, 0, 1, 1, ?)";
        let row = args![name.key(), user, app.clock.now().after(Duration::from_secs(60 * 60))];
        // The user may be gone for good, and then nobody stages anything for him.
        let staged = app.db.tx(Opts::default(), async |tx| tx.exec(insert, row.clone()).await).await;
        if staged.is_ok() && stored {
            // Into a store that fails perhaps.
            let _ = app.media.store.put(&name, b"staged".to_vec()).await;
        }
        None
    })
}

pub(super) fn expire(app: App) -> Doing {
    Box::pin(async move {
        app.clock.advance(Duration::from_secs(61 * 60));
        None
    })
}

pub(super) fn work(app: App) -> Doing {
    Box::pin(async move {
        make_due(&app).await;
        jobs::run_all(&app).await.unwrap();
        None
    })
}

pub(super) async fn make_due(app: &App) {
    let sql = "update greenlit_outbox set due = 0 where due < 9223372036854775807";
    app.db.tx(Opts::default(), async |tx| tx.exec(sql, vec![]).await).await.unwrap();
}

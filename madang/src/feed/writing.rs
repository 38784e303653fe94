//! Writing and changing feeds with their images, for the API and for pages.
//!
//! What is cheap to refuse is refused before pictures are decoded; images are staged before the transaction, and given back
//! if it fails.

use axum::{body::Body, http::HeaderMap};
use greenlit::Tx;
use serde::Serialize;

use super::{
    model::{Change, Text},
    service,
    view::FeedImages,
};
use crate::{
    account::Actor,
    app::App,
    error::{Code, Result},
    fault::{self, Point},
    http::{
        body::Progress,
        form::{self, Form, FormLimits},
        input::Document,
        query::PathFields,
    },
    idempotency::{IdempotencyKey, Write, Written},
    media::{self, spool::Spool},
};

/// Reads a form with texts and, under this name, files.
///
/// # Errors
/// See [`form::read_form`].
pub(super) async fn read_form(app: &App, headers: &HeaderMap, body: Body, files: &'static str) -> Result<Form<Spool>> {
    read(app, headers, body, files, &mut None).await
}

/// Reads a page's form, and keeps its texts, also of a form that could not be read to its end.
///
/// # Errors
/// See [`form::read_form`].
pub(super) async fn read_page_form(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    files: &'static str,
    typed: &mut Option<Document>,
) -> Result<Form<Spool>> {
    let mut form = read(app, headers, body, files, typed).await?;
    form.document = form.document.with_plain_newlines();
    *typed = Some(form.document.clone());
    Ok(form)
}

async fn read(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    files: &'static str,
    kept: &mut Option<Document>,
) -> Result<Form<Spool>> {
    let limits = FormLimits::default();
    let form = form::read_form_keeping(headers, body, &[files], &limits, || app.media.upload(), kept).await?;
    fault::point(Point::FormRead);
    Ok(form)
}

/// Writes the feed that the form describes, and answers with what `view` makes of it.
///
/// # Errors
/// Those of the form's fields, of its pictures, and of the write.
pub(super) async fn create<T: Serialize + Send>(
    app: &App,
    actor: &Actor,
    key: IdempotencyKey,
    form: Form<Spool>,
    progress: &Progress,
    view: impl Fn(FeedImages) -> T + Clone + Send + Sync,
) -> Result<Written> {
    let text = Text::parse(&form.document)?;
    let write = write_of(key, actor, &form)?;
    if let Some(done) = write.replay(app).await? {
        return Ok(done);
    }
    let staged = media::stage(app, actor.id, uploads(form), progress).await?;
    let create = async |tx: &mut Tx| service::create(app, tx, actor, &text, &staged).await.map(view.clone());
    let written = write.run(app, create).await;
    unless_written(app, written, staged).await
}

/// Changes the feed that the path names as the form says, and answers with what `view` makes of it.
///
/// # Errors
/// Those of [`create`]; 404 if there is no such feed, 403 if it is another's.
pub(super) async fn update<T: Serialize + Send>(
    app: &App,
    actor: &Actor,
    key: IdempotencyKey,
    path: &PathFields,
    form: Form<Spool>,
    progress: &Progress,
    view: impl Fn(FeedImages) -> T + Clone + Send + Sync,
) -> Result<Written> {
    let (id, change) = Change::parse(&path.0, &form.document)?;
    let write = write_of(key, actor, &form)?;
    if let Some(done) = write.replay(app).await? {
        return Ok(done);
    }
    // Before pictures are decoded and stored; the transaction looks again.
    let before = service::owned(&mut app.db.single(), actor.id, id).await?;
    let (_, kept) = service::split(app, before.images, &change.targets)?;
    if kept.len() + form.files.len() > media::IMAGES_PER_FEED {
        return Err(Code::TooManyImages.into());
    }
    let staged = media::stage(app, actor.id, uploads(form), progress).await?;
    let update = async |tx: &mut Tx| service::update(app, tx, actor.id, id, &change, &staged).await.map(view.clone());
    let written = write.run(app, update).await;
    unless_written(app, written, staged).await
}

fn uploads(form: Form<Spool>) -> Vec<Spool> {
    form.files.into_iter().map(|file| file.sink).collect()
}

/// The write that a form asks for.
fn write_of(key: IdempotencyKey, actor: &Actor, form: &Form<Spool>) -> Result<Write> {
    let write = key.of(actor.id)?.with(&form.document);
    Ok(form.files.iter().fold(write, |write, file| write.with_file(file.field, &file.sink.digest())))
}

/// The answer to a write. What was staged for one that failed, or that had been done before, is given back.
async fn unless_written(app: &App, written: Result<Written>, staged: Vec<media::Staged>) -> Result<Written> {
    if !matches!(&written, Ok(written) if !written.replayed) {
        media::discard(app, staged).await;
    }
    written
}

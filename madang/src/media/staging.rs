//! An image's way into a feed, and out of it.

use std::time::Duration;

use greenlit::{Opts, Tx};

use super::{Image, jobs, picture::Picture, queries, spool::Spool, store::Name};
use crate::{
    account::UserId,
    app::App,
    error::{Code, Error, Result},
    fault::{self, Point},
    http::body::Progress,
};

/// How long a staged image waits to be claimed. Far longer than a request can last, so that no image expires under one.
pub(super) const STAGED_FOR: Duration = Duration::from_secs(60 * 60);

/// The most images that a user may have staged: requests that break off leave theirs to the sweeper, and must not fill the
/// store until then. Those that are being staged may come on top.
const STAGED_PER_USER: i64 = 200;

/// An image that is in the store and waits to be claimed.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    image: Image,
}

/// Checks and re-encodes uploads, then stages them: rows with an expiry first, in one transaction, then the objects.
/// No transaction is open while objects are written, and one picture at a time is held in memory. `progress` keeps the
/// request's deadline from ending work that goes on.
///
/// Cancelled, the sweeper removes what was staged.
///
/// # Errors
/// 413, 415 and 422 for the first picture that is refused, before anything is stored; 429 if the user has too many staged
/// already; 503 if the store fails or is full, or too many requests wait.
pub(crate) async fn stage(app: &App, owner: UserId, uploads: Vec<Spool>, progress: &Progress) -> Result<Vec<Staged>> {
    if uploads.is_empty() {
        return Ok(Vec::new());
    }
    // Whole requests take turns: if their pictures did, all of them would become late together.
    let _turn = progress.pause(app.media.turns.take()).await?;
    app.media.store.check_room().await.map_err(unavailable)?;
    let mut pictures: Vec<(Image, Name, Spool)> = Vec::new();
    for upload in uploads {
        let bytes = upload.into_bytes().await.map_err(unavailable)?;
        let picture = app.media.budget.reencode(bytes).await?;
        let name = Name::random(picture.format);
        let image = describe(&picture, &name, pictures.len());
        let mut encoded = app.media.spool(u64::MAX);
        encoded.write(&picture.bytes).await.map_err(unavailable)?;
        pictures.push((image, name, encoded));
        progress.mark();
    }
    fault::point(Point::PicturesEncoded);
    let now = app.clock.now();
    let images: Vec<&Image> = pictures.iter().map(|(image, ..)| image).collect();
    app.db
        .tx(Opts::default(), async |tx| {
            for image in &images {
                let expires = now.after(STAGED_FOR);
                if !queries::insert(tx, image, owner, now, expires, STAGED_PER_USER).await? {
                    return Err(Error::from(Code::TooManyUploads).retry_after(60));
                }
            }
            fault::point(Point::StagedWritten);
            Ok(())
        })
        .await?;
    fault::point(Point::StagedCommitted);
    let mut staged = Vec::new();
    let mut failure = None;
    for (image, name, encoded) in pictures {
        if failure.is_none() {
            failure = put(app, &name, encoded).await.err().map(|e| (e, name));
            progress.mark();
        }
        staged.push(Staged { image });
    }
    match failure {
        None => {
            app.metrics.stored_images(staged.len());
            Ok(staged)
        }
        Some((e, name)) => {
            discard(app, staged).await;
            jobs::delete_late(app, &name).await;
            Err(e)
        }
    }
}

async fn put(app: &App, name: &Name, encoded: Spool) -> Result<()> {
    let bytes = encoded.into_bytes().await.map_err(unavailable)?;
    app.media.store.put(name, bytes).await.map_err(unavailable)
}

fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::from(Code::Unavailable).caused_by(cause)
}

/// The row of a picture that stands so far behind the first of its request.
fn describe(picture: &Picture, name: &Name, position: usize) -> Image {
    Image {
        feed_id: 0,
        image_key: name.key().to_owned(),
        extension: name.format().extension().to_owned(),
        position: i64::try_from(position).unwrap_or(i64::MAX),
        width: picture.width.into(),
        height: picture.height.into(),
        thumb_width: None,
    }
}

/// Makes staged images the feed's, in their order, from position `first` on, and returns them as such.
///
/// # Errors
/// 503 if one has expired meanwhile: the client may send it again.
pub(crate) async fn claim(
    app: &App,
    tx: &mut Tx,
    owner: UserId,
    feed: i64,
    first: i64,
    staged: &[Staged],
) -> Result<Vec<Image>> {
    if staged.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&str> = staged.iter().map(|staged| staged.image.image_key.as_str()).collect();
    let claimed = queries::claim(tx, &keys, owner, feed, first, app.clock.now()).await?;
    if claimed < staged.len() as u64 {
        return Err(Error::from(Code::Unavailable).caused_by("a staged image has expired"));
    }
    fault::point(Point::ImagesClaimed);
    let claimed = |image: &Image| Image { feed_id: feed, position: first + image.position, ..image.clone() };
    let images: Vec<Image> = staged.iter().map(|staged| claimed(&staged.image)).collect();
    jobs::make_thumbnails(tx, &images).await?;
    fault::point(Point::JobsPushed);
    tx.after_commit(app.wake_worker(jobs::THUMBNAIL));
    Ok(images)
}

/// Deletes images from their feed: the rows now, the objects by a job that commits with them.
pub(crate) async fn remove(app: &App, tx: &mut Tx, images: &[Image]) -> greenlit::Result<()> {
    if images.is_empty() {
        return Ok(());
    }
    let keys: Vec<&str> = images.iter().map(|image| image.image_key.as_str()).collect();
    queries::delete(tx, &keys).await?;
    fault::point(Point::ImagesRemoved);
    jobs::delete_objects(tx, images).await?;
    fault::point(Point::JobsPushed);
    tx.after_commit(app.wake_worker(jobs::DELETE));
    Ok(())
}

/// Gives back what was staged for a request that failed. If this fails too, the sweeper does it later.
pub(crate) async fn discard(app: &App, staged: Vec<Staged>) {
    if staged.is_empty() {
        return;
    }
    let images: Vec<Image> = staged.into_iter().map(|staged| staged.image).collect();
    if let Err(e) = delete_staged(app, &images).await {
        tracing::warn!(cause = %e, "staged images wait for the sweeper");
    }
}

/// Deletes those of the images that nobody has claimed meanwhile. Returns how many.
pub(super) async fn delete_staged(app: &App, images: &[Image]) -> greenlit::Result<usize> {
    app.db
        .tx(Opts::default(), async |tx| {
            let mut deleted = Vec::new();
            for image in images {
                queries::delete_staged(tx, &image.image_key).await?;
                // Also if the row was gone: the sweeper may have been here before the object was written.
                if queries::claimed(tx, &image.image_key).await?.is_none() {
                    deleted.push(image.clone());
                }
            }
            if !deleted.is_empty() {
                jobs::delete_objects(tx, &deleted).await?;
                tx.after_commit(app.wake_worker(jobs::DELETE));
            }
            fault::point(Point::SweepEnding);
            Ok(deleted.len())
        })
        .await
}

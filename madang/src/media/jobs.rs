//! What happens to images outside of requests.

use std::time::Duration;

use futures_util::future::join_all;
use greenlit::{Job, Opts, Tx};
use serde::{Deserialize, Serialize};

use super::{Image, queries, staging, store::Name};
use crate::{
    app::App,
    fault::{self, Point},
    jobs::Failure,
};

/// The topic of jobs that delete objects.
pub(crate) const DELETE: &str = "media.delete";
/// The topic of jobs that make the thumbnail of an image.
pub(crate) const THUMBNAIL: &str = "media.thumbnail";
/// How many expired images are swept in one transaction.
const SWEEP: i64 = 100;
/// How many objects one job deletes: few enough to fit into its time on a slow disk.
const OBJECTS: usize = 10;
/// How long an object may be on its way to the store after it was given up: what a bucket was sent may lie in buffers.
const LATE: Duration = Duration::from_secs(60 * 60);
const NO_NAME: &str = "not the name of an image";

#[derive(Serialize, Deserialize)]
struct Objects {
    names: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Source {
    name: String,
}

/// Has these images' objects deleted, with the thumbnails that they have or may get.
pub(super) async fn delete_objects(tx: &mut Tx, images: &[Image]) -> greenlit::Result<()> {
    let thumbnail =
        |image: &Image| Name::parse(&image.file_name()).filter(|_| image.is_wide()).map(|name| name.thumbnail());
    let all = images.iter().flat_map(|image| [Some(image.file_name()), thumbnail(image).map(|name| name.to_string())]);
    let all: Vec<String> = all.flatten().collect();
    delete_names(tx, &all).await
}

/// Has the objects of these names deleted.
pub(crate) async fn delete_names(tx: &mut Tx, names: &[String]) -> greenlit::Result<()> {
    for names in names.chunks(OBJECTS) {
        tx.outbox(DELETE, &Objects { names: names.to_vec() }).await?;
    }
    Ok(())
}

/// Has an object deleted that could not be stored and may arrive yet, when it must have.
pub(super) async fn delete_late(app: &App, name: &Name) {
    let delete = async |tx: &mut Tx| tx.outbox_after(LATE, DELETE, &Objects { names: vec![name.to_string()] }).await;
    if let Err(e) = app.db.tx(Opts::default(), delete).await {
        tracing::warn!(cause = %e, %name, "if this object arrives late, madang check will find it");
    }
}

/// The names of the objects that a job deletes, or makes and deletes again if their image is gone.
pub(crate) fn names(topic: &str, payload: &str) -> Vec<String> {
    match topic {
        DELETE => serde_json::from_str(payload).map(|objects: Objects| objects.names).unwrap_or_default(),
        THUMBNAIL => {
            let source = serde_json::from_str(payload).ok().and_then(|source: Source| Name::parse(&source.name));
            source.map(|name| name.thumbnail().to_string()).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Has the thumbnails of these images made, where they need one: by a job each, as a large picture takes seconds.
pub(crate) async fn make_thumbnails(tx: &mut Tx, images: &[Image]) -> greenlit::Result<()> {
    for image in images.iter().filter(|image| image.is_wide()) {
        tx.outbox(THUMBNAIL, &Source { name: image.file_name() }).await?;
    }
    Ok(())
}

/// Deletes the objects that a job names. Those that are gone already count as deleted, so it can be repeated. All at once:
/// one that fails or takes long keeps the others from nothing.
pub(crate) async fn delete(app: &App, job: &Job) -> Result<(), Failure> {
    let objects: Objects = job.payload()?;
    let delete = async |name: &String| -> Result<(), Failure> {
        let name = Name::parse(name).ok_or_else(|| Failure::because(NO_NAME))?;
        app.media.store.delete(&name).await?;
        fault::point(Point::ObjectDeleted);
        Ok(())
    };
    join_all(objects.names.iter().map(delete)).await.into_iter().collect()
}

/// Makes the thumbnail of the image that a job names. It can be repeated, and leaves none behind of an image that was
/// removed before it, beside it, or between two attempts.
pub(crate) async fn thumbnail(app: &App, job: &Job) -> Result<(), Failure> {
    let source: Source = job.payload()?;
    let name = Name::parse(&source.name).ok_or_else(|| Failure::because(NO_NAME))?;
    let thumbnail = name.thumbnail();
    // By a job like any deletion, which a backup holds up.
    let delete = async |tx: &mut Tx| tx.outbox(DELETE, &Objects { names: vec![thumbnail.to_string()] }).await.map(drop);
    match queries::claimed(&mut app.db.single(), name.key()).await? {
        Some(image) if image.thumb_width.is_some() => return Ok(()),
        Some(_) => {}
        // An attempt that was killed may have stored it after the image's objects were deleted.
        None => return Ok(app.db.tx(Opts::default(), delete).await?),
    }
    let original = app.media.store.get(&name).await?;
    fault::point(Point::ThumbnailRead);
    let picture = app.media.budget.thumbnail(original).await?;
    if let Err(e) = app.media.store.put(&thumbnail, picture.bytes).await {
        // It may arrive yet, after the image was removed. The same job, when it must have arrived, sees to that, and for what comes
        // later has one of its own. Not each attempt: in an outage of hours they would multiply.
        if job.attempt == 1 {
            app.db.tx(Opts::default(), async |tx| tx.outbox_after(LATE, THUMBNAIL, &source).await).await?;
        }
        return Err(e.into());
    }
    fault::point(Point::ThumbnailStored);
    let record = async |tx: &mut Tx| {
        queries::set_thumbnail(tx, name.key(), picture.width, picture.height).await?;
        if queries::claimed(tx, name.key()).await?.is_none() {
            tx.outbox(DELETE, &Objects { names: vec![thumbnail.to_string()] }).await?;
            tx.after_commit(app.wake_worker(DELETE));
        }
        fault::point(Point::ThumbnailRecorded);
        Ok::<(), greenlit::Error>(())
    };
    Ok(app.db.tx(Opts::default(), record).await?)
}

/// Removes staged images that nobody claimed in time, some at a time; returns how many it removed. A claim cannot race
/// it: whoever comes second finds no row.
pub(crate) async fn sweep(app: &App) -> greenlit::Result<usize> {
    let expired = queries::expired(&mut app.db.single(), app.clock.now(), SWEEP).await?;
    if expired.is_empty() {
        return Ok(0);
    }
    fault::point(Point::SweepFound);
    let swept = staging::delete_staged(app, &expired).await?;
    fault::point(Point::SweepCommitted);
    Ok(swept)
}

//! What happens to images outside of requests.

use greenlit::{Job, Tx};
use serde::{Deserialize, Serialize};

use super::{Image, queries, staging, store::Name};
use crate::app::App;

/// The topic of jobs that delete objects.
pub(crate) const DELETE: &str = "media.delete";
/// How many expired images are swept in one transaction.
const SWEEP: i64 = 100;
/// How many objects one job deletes: few enough to fit into its time on a slow disk.
const OBJECTS: usize = 10;

#[derive(Serialize, Deserialize)]
struct Objects {
    names: Vec<String>,
}

pub(super) async fn delete_objects(tx: &mut Tx, images: &[Image]) -> greenlit::Result<()> {
    for images in images.chunks(OBJECTS) {
        let names = images.iter().map(|image| format!("{}.{}", image.image_key, image.extension)).collect();
        tx.outbox(DELETE, &Objects { names }).await?;
    }
    Ok(())
}

/// Deletes the objects that a job names. Those that are gone already count as deleted, so it can be repeated.
pub(crate) async fn delete(app: &App, job: &Job) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let objects: Objects = job.payload()?;
    for name in &objects.names {
        let name = Name::parse(name).ok_or("not the name of an image")?;
        app.media.store.delete(&name).await?;
    }
    Ok(())
}

/// Removes staged images that nobody claimed in time, some at a time; returns how many it removed. A claim cannot race
/// it: whoever comes second finds no row.
pub(crate) async fn sweep(app: &App) -> greenlit::Result<usize> {
    let expired = queries::expired(&mut app.db.single(), app.clock.now(), SWEEP).await?;
    if expired.is_empty() {
        return Ok(0);
    }
    staging::delete_staged(app, &expired).await
}

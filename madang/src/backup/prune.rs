//! Old snapshots go, and the objects that only they name.

use std::{collections::HashSet, fs::File};

use futures_util::TryStreamExt;

use super::{Failure, OBJECTS, Place, copy, lines::LineReader};
use crate::media::store::Name;

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many snapshots.
    pub snapshots: usize,
    /// How many objects.
    pub objects: u64,
}

/// Keeps the newest snapshots, `keep` of them and at least one. No backup may be made into the place meanwhile. The names of
/// all objects that stay are held in memory: 100 bytes each.
///
/// Cancelled or killed, it leaves objects that the next one removes.
///
/// # Errors
/// See [`Failure`]. A list that cannot be read keeps all objects.
pub async fn prune(place: &Place, keep: usize) -> Result<Pruned, Failure> {
    let mut all = place.snapshots().await.map_err(Failure::Place)?;
    let kept = all.split_off(all.len().saturating_sub(keep.max(1)));
    let mut named = HashSet::new();
    for snapshot in &kept {
        remember(place.read(snapshot, OBJECTS).await.map_err(Failure::Place)?, &mut named).await?;
    }
    for snapshot in &all {
        place.forget(snapshot).await.map_err(Failure::Place)?;
    }
    let mut pruned = Pruned { snapshots: all.len(), objects: 0 };
    let mut listed = place.images.list();
    while let Some(name) = listed.try_next().await.map_err(Failure::Place)? {
        if !kept.is_empty() && !named.contains(&name) {
            place.images.delete(&name).await.map_err(Failure::Place)?;
            pruned.objects += 1;
        }
    }
    Ok(pruned)
}

async fn remember(list: File, named: &mut HashSet<Name>) -> Result<(), Failure> {
    let mut list = LineReader::begin(list);
    loop {
        let objects = copy::listed(&mut list).await.map_err(Failure::Place)?;
        if objects.is_empty() {
            return Ok(());
        }
        named.extend(objects.iter().filter_map(|object| Name::parse(&object.1)));
    }
}

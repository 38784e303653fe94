//! Rows of images against the objects that they name.
//!
//! An object is stored before its image is claimed, and a thumbnail before the row tells of it; both are deleted after the row
//! is gone. So an object that is missing while its row is there before and after the look is lost, whatever is under way.

use std::{collections::HashMap, io, ops::Range};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use greenlit::{Db, Opts, Result, Tx};

use super::{BATCH, Board, Failure, Fault, Finding, PIECE, Report, SUSPECTS, orphans, queries};
use crate::media::{
    Image, jobs,
    picture::Format,
    store::{Name, Store},
};

/// How many objects are asked for at the same time.
pub(super) const AT_ONCE: usize = 16;

/// How an object was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Well,
    Missing,
    Empty,
    Cut,
}

/// An image, and how its objects were found.
struct Seen {
    image: Image,
    original: State,
    /// Well if the row tells of none.
    thumbnail: State,
}

pub(super) async fn check(board: &Board, report: &mut Report<'_>) -> Result<(), Failure> {
    report.begin("images");
    let (mut after, mut bare) = (0, Vec::new());
    loop {
        let rows = queries::images(&mut board.db.single(), after, BATCH).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        report.looked_at(rows.len());
        let looks = rows.into_iter().map(|row| look(&board.store, row.image));
        let seen: Vec<Seen> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        let (well, wrong): (Vec<Seen>, Vec<Seen>) =
            seen.into_iter().partition(|seen| (seen.original, seen.thumbnail) == (State::Well, State::Well));
        let without = |image: &Image| image.is_wide() && image.thumb_width.is_none();
        bare.extend(well.into_iter().map(|seen| seen.image).filter(without));
        tell_lost(&board.db, wrong, report).await?;
        if bare.len() >= SUSPECTS {
            tell_unmade(&board.db, std::mem::take(&mut bare), report).await?;
        }
    }
    Ok(tell_unmade(&board.db, bare, report).await?)
}

async fn look(store: &Store, image: Image) -> io::Result<Seen> {
    let name = Name::parse(&image.file_name());
    let original = state(store, name.as_ref()).await?;
    let thumbnail = match image.thumb_width {
        Some(_) => state(store, name.map(|name| name.thumbnail()).as_ref()).await?,
        None => State::Well,
    };
    Ok(Seen { image, original, thumbnail })
}

async fn state(store: &Store, name: Option<&Name>) -> io::Result<State> {
    let Some(name) = name else { return Ok(State::Missing) };
    let whole = match store.head(name).await {
        Ok(object) if object.length == 0 => return Ok(State::Empty),
        Ok(object) => is_whole(store, name, object.length).await,
        Err(e) => Err(e),
    };
    match whole {
        Ok(true) => Ok(State::Well),
        Ok(false) => Ok(State::Cut),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(State::Missing),
        Err(e) => Err(e),
    }
}

const END_OF_PNG: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";
const END_OF_JPEG: &[u8] = b"\xff\xd9";

/// Whether a picture that was read goes on to its end.
pub(crate) fn are_whole(format: Format, bytes: &[u8]) -> bool {
    match format {
        Format::Png => bytes.ends_with(END_OF_PNG),
        Format::Jpeg => bytes.ends_with(END_OF_JPEG),
        Format::Webp => tells_length(bytes.get(..8).unwrap_or_default(), bytes.len() as u64),
    }
}

/// Whether the second word of a WebP's head is the number of bytes behind it.
fn tells_length(head: &[u8], length: u64) -> bool {
    let told = head.last_chunk::<4>().filter(|_| head.len() == 8).map(|told| u32::from_le_bytes(*told));
    told.is_some_and(|told| u64::from(told) + 8 == length)
}

/// The same of one in the store: its last bytes tell it, or its first. No more of it is read.
async fn is_whole(store: &Store, name: &Name, length: u64) -> io::Result<bool> {
    let part = async |range: Range<u64>| -> io::Result<Vec<u8>> {
        let pieces: Vec<bytes::Bytes> = store.open(name, Some(range)).await?.pieces.try_collect().await?;
        Ok(pieces.concat())
    };
    let ends_with =
        async |end: &[u8]| Ok::<_, io::Error>(part(length.saturating_sub(end.len() as u64)..length).await? == end);
    match name.format() {
        Format::Png => ends_with(END_OF_PNG).await,
        Format::Jpeg => ends_with(END_OF_JPEG).await,
        Format::Webp => Ok(tells_length(&part(0..length.min(8)).await?, length)),
    }
}

/// The rows of these images as they are by now, by their keys.
async fn again(db: &Db, images: impl Iterator<Item = &Image>) -> Result<HashMap<String, Image>> {
    let keys: Vec<String> = images.map(|image| image.image_key.clone()).collect();
    let mut rows = HashMap::new();
    for keys in keys.chunks(PIECE) {
        let found = queries::images_of(&mut db.single(), keys).await?;
        rows.extend(found.into_iter().map(|image| (image.image_key.clone(), image)));
    }
    Ok(rows)
}

async fn tell_lost(db: &Db, wrong: Vec<Seen>, report: &mut Report<'_>) -> Result<()> {
    let rows = again(db, wrong.iter().map(|seen| &seen.image)).await?;
    for Seen { image, original, thumbnail } in wrong {
        let Some(row) = rows.get(&image.image_key) else { continue };
        match original {
            State::Well => {}
            State::Missing => report.tell(&finding(Fault::ImageMissing, &image), false),
            State::Empty => report.tell(&finding(Fault::ImageEmpty, &image), false),
            State::Cut => report.tell(&finding(Fault::ImageCut, &image), false),
        }
        let fault = match thumbnail {
            _ if row.thumb_width.is_none() => continue, // another repair was here
            State::Well => continue,
            State::Missing => Fault::ThumbnailMissing,
            State::Empty => Fault::ThumbnailEmpty,
            State::Cut => Fault::ThumbnailCut,
        };
        // Of an image that is lost none can be made.
        let repaired = report.repair && original == State::Well && make_again(db, &image).await?;
        report.tell(&finding(fault, &image), repaired);
    }
    Ok(())
}

/// Tells which of these images, which need thumbnails and have none, have no job for it either. The job commits with the
/// claim and ends after the row tells of the thumbnail; so a row that tells of none after the jobs were looked at has none.
async fn tell_unmade(db: &Db, bare: Vec<Image>, report: &mut Report<'_>) -> Result<()> {
    if bare.is_empty() {
        return Ok(());
    }
    let mut unmade = bare.iter().map(thumbnail_of).collect();
    orphans::forget_those_of_jobs(db, &mut unmade).await?;
    let bare: Vec<Image> = bare.into_iter().filter(|image| unmade.contains(&thumbnail_of(image))).collect();
    let rows = again(db, bare.iter()).await?;
    for image in bare {
        if rows.get(&image.image_key).is_some_and(|row| row.thumb_width.is_none()) {
            let repaired = report.repair && make_again(db, &image).await?;
            report.tell(&finding(Fault::ThumbnailUnmade, &image), repaired);
        }
    }
    Ok(())
}

/// Has the thumbnail of an image made anew; until it is, the image stands in for it. Tells whether the image was still there.
async fn make_again(db: &Db, image: &Image) -> Result<bool> {
    let again = async |tx: &mut Tx| {
        let is_there = queries::forget_thumbnail(tx, &image.image_key).await?;
        if is_there {
            jobs::make_thumbnails(tx, std::slice::from_ref(image)).await?;
        }
        Ok::<_, greenlit::Error>(is_there)
    };
    db.tx(Opts::default(), again).await
}

fn finding(what: Fault, image: &Image) -> Finding {
    let name = match what {
        Fault::ThumbnailMissing | Fault::ThumbnailEmpty | Fault::ThumbnailCut => thumbnail_of(image),
        _ => image.file_name(),
    };
    Finding::Object { what, name, feed_id: Some(image.feed_id) }
}

fn thumbnail_of(image: &Image) -> String {
    let name = image.file_name();
    Name::parse(&name).map(|name| name.thumbnail().to_string()).unwrap_or(name)
}

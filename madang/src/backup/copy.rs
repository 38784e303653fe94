//! Objects, from the board's store into the place of the backups.

use std::{collections::VecDeque, fs::File, io, io::ErrorKind};

use aws_lc_rs::digest::{SHA256, digest};
use futures_util::stream::{self, StreamExt};
use indicatif::ProgressBar;

use super::{
    Failure, Object, Place,
    lines::{LineReader, LineWriter, Written},
};
use crate::{
    check::images::are_whole,
    media::store::{Name, Store},
    secret::hex,
};

/// How many objects are copied at the same time.
const AT_ONCE: usize = 8;

/// What was copied.
pub(super) struct Copied {
    pub(super) objects: u64,
    pub(super) bytes: u64,
    pub(super) missing: u64,
    pub(super) copied: u64,
    pub(super) file: Written,
}

/// What became of one object.
enum Outcome {
    WasThere(Object),
    Copied(Object),
    Missing(String),
}

/// Copies the objects of these names, of which a list of the snapshot before may know some, and lists them.
pub(super) async fn copy(
    source: &Store,
    place: &Place,
    names: &Written,
    previous: Option<File>,
    bar: &ProgressBar,
    mut missing: impl FnMut(&str) + Send,
) -> Result<Copied, Failure> {
    let (mut names, mut known) =
        (LineReader::begin(names.file.try_clone().map_err(Failure::Place)?), Known::new(previous));
    let list = LineWriter::begin();
    let (mut objects, mut bytes, mut lost, mut copied) = (0, 0, 0, 0);
    loop {
        let lines = names.next().await.map_err(Failure::Place)?;
        if lines.is_empty() {
            break;
        }
        let mut wanted = Vec::new();
        for line in &lines {
            let (id, name) = wanted_object(line)?;
            wanted.push((id, known.find(id, &name.to_string()).await, name));
        }
        bar.inc(wanted.len() as u64);
        let copies = wanted.into_iter().map(|(id, known, name)| copy_one(source, place, id, name, known));
        let mut copies = stream::iter(copies).buffered(AT_ONCE);
        let mut told = String::new();
        while let Some(outcome) = copies.next().await {
            let object = match outcome? {
                Outcome::WasThere(object) => object,
                Outcome::Copied(object) => {
                    copied += 1;
                    object
                }
                Outcome::Missing(name) => {
                    lost += 1;
                    missing(&name);
                    continue;
                }
            };
            (objects, bytes) = (objects + 1, bytes + object.2);
            told += &serde_json::to_string(&object).map_err(|e| Failure::Place(e.into()))?;
            told.push('\n');
        }
        list.write(told).await;
    }
    let file = list.finish().await.map_err(Failure::Place)?;
    Ok(Copied { objects, bytes, missing: lost, copied, file })
}

fn wanted_object(line: &str) -> Result<(i64, Name), Failure> {
    let parsed = line.split_once(' ').and_then(|(id, name)| Some((id.parse().ok()?, Name::parse(name)?)));
    parsed.ok_or_else(|| Failure::Refused(format!("{line} is not the name of an image")))
}

async fn copy_one(
    source: &Store,
    place: &Place,
    id: i64,
    name: Name,
    known: Option<Object>,
) -> Result<Outcome, Failure> {
    // It never changes: what is there in its full length is this.
    if let Some(known) = known
        && matches!(place.images.head(&name).await, Ok(head) if head.length == known.2)
    {
        return Ok(Outcome::WasThere(known));
    }
    let object = |bytes: &[u8]| Object(id, name.to_string(), bytes.len() as u64, hex(digest(&SHA256, bytes).as_ref()));
    match source.get(&name).await {
        Ok(bytes) if are_whole(name.format(), &bytes) => {
            let object = object(&bytes);
            place.images.put(&name, bytes).await.map_err(Failure::Place)?;
            return Ok(Outcome::Copied(object));
        }
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(Failure::Images(e)),
        // The board has lost it, or its end. An earlier backup may have it.
        _ => {}
    }
    match place.images.get(&name).await {
        Ok(bytes) => Ok(Outcome::WasThere(object(&bytes))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Outcome::Missing(name.to_string())),
        Err(e) => Err(Failure::Place(e)),
    }
}

/// The list of an earlier snapshot. Like what is looked for it is in the order of the rows' ids, so that both are read once.
struct Known {
    list: Option<LineReader>,
    ahead: VecDeque<Object>,
}

impl Known {
    fn new(list: Option<File>) -> Known {
        Known { list: list.map(LineReader::begin), ahead: VecDeque::new() }
    }

    async fn find(&mut self, id: i64, name: &str) -> Option<Object> {
        while self.ahead.front().is_none_or(|object| object.0 < id) {
            if self.ahead.pop_front().is_none() && !self.read().await {
                return None;
            }
        }
        // An image and its thumbnail have the same id, and stand side by side.
        while self.ahead.back().is_some_and(|object| object.0 == id) && self.read().await {}
        self.ahead.iter().take_while(|object| object.0 == id).find(|object| object.1 == name).cloned()
    }

    /// Reads on. A list that is damaged ends there: what it does not tell is copied again.
    async fn read(&mut self) -> bool {
        let Some(list) = &mut self.list else { return false };
        let lines = list.next().await.unwrap_or_default();
        let objects: Result<Vec<Object>, _> = lines.iter().map(|line| serde_json::from_str(line)).collect();
        let objects = objects.unwrap_or_default();
        if objects.is_empty() {
            self.list = None;
            return false;
        }
        self.ahead.extend(objects);
        true
    }
}

/// The objects of a list, some at a time.
pub(super) async fn listed(list: &mut LineReader) -> io::Result<Vec<Object>> {
    let lines = list.next().await?;
    Ok(lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?)
}

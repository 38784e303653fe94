//! A snapshot, into an empty board.

use std::{fs::File, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use greenlit::{Db, Dialect, Error, Opts, Reader, Tx, Value};
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    Failure, Manifest, OBJECTS, Object, Place, ROWS, copy, intact,
    lines::LineReader,
    tables::{SCHEMA, Table},
};
use crate::{
    installation,
    media::store::{Name, Store},
    migration::HISTORY,
    secret::hex,
};

/// How many objects are copied at the same time.
const AT_ONCE: usize = 8;
/// How many rows one statement writes.
const ROWS_AT_ONCE: usize = 50;
/// Clearing what an earlier attempt has left may take long.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// An empty board, which no server uses.
#[derive(Debug)]
pub struct Target {
    /// Its database.
    pub db: Db,
    /// Its images.
    pub store: Store,
    /// Whether objects that are there already are its own.
    pub keep_images: bool,
}

/// Brings a snapshot back. Until it has come to its end no server serves from the database; cancelled or killed, it can
/// be run again.
///
/// # Errors
/// [`Failure::Refused`] if the database holds a board, or something of the snapshot is damaged; see [`Failure`].
pub async fn restore(
    target: &Target,
    place: &Place,
    (snapshot, manifest): (&str, &Manifest),
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let rows = intact(place, snapshot, ROWS, &manifest.rows_file).await?;
    let objects = intact(place, snapshot, OBJECTS, &manifest.objects_file).await?;
    if place.is_within(&target.store).await.map_err(Failure::Place)? {
        return Err(Failure::Refused(format!(
            "the board cannot have its images in {place} itself: name another place"
        )));
    }
    see_that_it_is_free(target).await?;
    prepare(&target.db, snapshot, manifest).await?;
    bar.set_message("objects");
    copy_objects(&target.store, place, objects, bar).await?;
    bar.set_message("rows");
    bar.set_position(0);
    load(&target.db, rows, bar).await?;
    let images = target.store.place().await.map_err(Failure::Images)?;
    target.db.tx(Opts::default(), async |tx| installation::restored(tx, &images).await).await?;
    target.db.migrate(HISTORY).await?;
    Ok(())
}

/// Refuses a database that holds a board, or that a server uses, and images that may be another's; but for those that an
/// attempt before this left. Nothing is changed.
async fn see_that_it_is_free(target: &Target) -> Result<(), Failure> {
    let db = &target.db;
    // Where there are no tables yet, none of these can be asked.
    if matches!(installation::restoring(&mut db.single()).await, Ok(Some(_))) {
        return Ok(());
    }
    let refused = |why: &str| Err(Failure::Refused(why.to_owned()));
    if matches!(db.fetch_optional::<(i64,)>("select id from users limit 1", Vec::new()).await, Ok(Some(_))) {
        return refused("the database holds a board already: name an empty one");
    }
    // A file's server would have the lock of its folder.
    if db.dialect() != Dialect::Sqlite && matches!(installation::is_used(&mut db.single()).await, Ok(true)) {
        return refused("a server has used this database, and may still: stop it, and name one that is newly made");
    }
    if !target.keep_images && target.store.list().try_next().await.map_err(Failure::Images)?.is_some() {
        return refused(
            "there are images in this place already: name an empty one, or tell by --keep-images that they are this board's",
        );
    }
    Ok(())
}

/// Makes the tables as they were when the snapshot was taken, empty.
async fn prepare(db: &Db, snapshot: &str, manifest: &Manifest) -> Result<(), Failure> {
    let history = usize::try_from(manifest.schema).ok().and_then(|schema| HISTORY.get(..schema)).unwrap_or(HISTORY);
    db.migrate(history).await.map_err(|e| match e {
        Error::Migration(why) => {
            let version = &manifest.madang;
            Failure::Refused(format!("the tables for {snapshot}, of madang {version}, cannot be made: {why}"))
        }
        e => e.into(),
    })?;
    let tables = || SCHEMA.iter().filter(|table| manifest.rows.contains_key(table.name));
    let prepare = async |tx: &mut Tx| {
        if installation::restoring(tx).await?.is_none() {
            for table in tables().filter(|table| table.name != "totals") {
                let any = format!("select 1 from {} limit 1", table.name);
                if tx.fetch_optional::<(i64,)>(&any, Vec::new()).await?.is_some() {
                    return Ok(false);
                }
            }
        }
        for table in tables().rev() {
            tx.exec(&format!("delete from {}", table.name), Vec::new()).await?;
        }
        installation::begin_restore(tx, snapshot).await?;
        Ok::<_, Error>(true)
    };
    if db.tx(Opts::default().within(PATIENCE), prepare).await? {
        return Ok(());
    }
    Err(Failure::Refused("the database holds a board already: name an empty one".to_owned()))
}

async fn copy_objects(store: &Store, place: &Place, list: File, bar: &ProgressBar) -> Result<(), Failure> {
    let mut list = LineReader::begin(list);
    loop {
        let objects = copy::listed(&mut list).await.map_err(Failure::Place)?;
        if objects.is_empty() {
            return Ok(());
        }
        bar.inc(objects.len() as u64);
        let copies = objects.into_iter().map(|object| copy_one(store, place, object));
        stream::iter(copies).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    }
}

async fn copy_one(store: &Store, place: &Place, object: Object) -> Result<(), Failure> {
    let name = Name::parse(&object.1).ok_or_else(|| Failure::Refused(format!("{} names no image", object.1)))?;
    // An earlier attempt was here.
    if matches!(store.head(&name).await, Ok(head) if head.length == object.2) {
        return Ok(());
    }
    let bytes = fetch(place, &name, &object).await?;
    store.put(&name, bytes).await.map_err(Failure::Images)
}

/// The bytes of an object, if they are those that were backed up.
pub(super) async fn fetch(place: &Place, name: &Name, object: &Object) -> Result<Vec<u8>, Failure> {
    let bytes = match place.images.get(name).await {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Failure::Refused(format!("{name} is not in the backup any more")));
        }
        read => read.map_err(Failure::Place)?,
    };
    if bytes.len() as u64 == object.2 && hex(digest(&SHA256, &bytes).as_ref()) == object.3 {
        return Ok(bytes);
    }
    Err(Failure::Refused(format!("{name} is damaged in the backup: remove it there and make another backup")))
}

/// A line that holds no row.
#[derive(Deserialize)]
#[serde(untagged)]
enum Mark {
    Table { table: String, columns: Vec<String> },
    End { end: bool },
}

/// Writes all rows of a file.
pub(super) async fn load(db: &Db, rows: File, bar: &ProgressBar) -> Result<(), Failure> {
    let damaged = |_| Failure::Refused("the file of the rows is damaged: take another snapshot".to_owned());
    let (mut lines, mut into, mut ended) = (LineReader::begin(rows), None, false);
    loop {
        let piece = lines.next().await.map_err(|e| damaged(e.to_string()))?;
        if piece.is_empty() {
            break;
        }
        let mut pending = Vec::new();
        for line in &piece {
            if line.starts_with('[') {
                pending.push(row(line).map_err(damaged)?);
                continue;
            }
            write(db, into.as_ref(), &mut pending, bar).await?;
            match serde_json::from_str(line).map_err(|e| damaged(e.to_string()))? {
                Mark::Table { table, columns } => into = Some(known(table, columns)?),
                Mark::End { end } => ended = end,
            }
        }
        write(db, into.as_ref(), &mut pending, bar).await?;
    }
    if !ended {
        return Err(damaged(String::new()));
    }
    if db.dialect() == Dialect::Postgres {
        db.tx(Opts::default().within(PATIENCE), pass_ids).await?;
    }
    Ok(())
}

/// The table and its columns, if they are words: they become part of statements.
fn known(table: String, columns: Vec<String>) -> Result<(String, Vec<String>), Failure> {
    let is_word = |name: &String| !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
    if SCHEMA.iter().any(|known| known.name == table) && columns.iter().all(is_word) {
        return Ok((table, columns));
    }
    Err(Failure::Refused(format!("the backup has a table {table:?}, which this version does not know")))
}

fn row(line: &str) -> Result<Vec<Value>, String> {
    let values: Vec<Json> = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let value = |value: Json| match value {
        Json::Null => Ok(Value::Null),
        Json::Bool(truth) => Ok(Value::Bool(truth)),
        Json::Number(number) => number.as_i64().map(Value::Int).ok_or_else(|| number.to_string()),
        Json::String(text) => Ok(Value::Text(text)),
        Json::Object(object) => {
            let bytes = object.get("bytes").and_then(Json::as_str).and_then(|text| STANDARD.decode(text).ok());
            bytes.map(Value::Bytes).ok_or_else(|| "an object".to_owned())
        }
        Json::Array(_) => Err("a list".to_owned()),
    };
    values.into_iter().map(value).collect()
}

async fn write(
    db: &Db,
    into: Option<&(String, Vec<String>)>,
    rows: &mut Vec<Vec<Value>>,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let rows = std::mem::take(rows);
    let Some((table, columns)) = into.filter(|_| !rows.is_empty()) else { return Ok(()) };
    bar.inc(rows.len() as u64);
    let insert = async |tx: &mut Tx| {
        for rows in rows.chunks(ROWS_AT_ONCE) {
            tx.exec(&Table::insert(table, columns, rows.len()), rows.concat()).await?;
        }
        Ok::<_, Error>(())
    };
    Ok(db.tx(Opts::default().within(PATIENCE), insert).await?)
}

/// PostgreSQL's sequences know nothing of ids that are given.
async fn pass_ids(tx: &mut Tx) -> greenlit::Result<()> {
    for table in SCHEMA.iter().filter(|table| table.counts_ids()) {
        let (table, sequence) = (table.name, format!("pg_get_serial_sequence('{}', 'id')", table.name));
        let last = format!("greatest((select coalesce(max(id), 1) from {table}), nextval({sequence}))");
        tx.fetch_one::<(i64,)>(&format!("select setval({sequence}, {last})"), Vec::new()).await?;
    }
    Ok(())
}

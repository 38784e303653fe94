//! Rows, out of one snapshot of the database.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use greenlit::{Db, Opts, Read, Value};
use indicatif::ProgressBar;
use serde_json::{Value as Json, json};

use super::{
    Failure,
    lines::{LineWriter, Written},
    tables::{BOOLEANS, SCHEMA, Table},
};
use crate::media::store::Name;

/// How long the snapshot may be read. The database keeps old versions of rows for it meanwhile.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// What was read.
pub(super) struct Dumped {
    pub(super) rows: BTreeMap<String, u64>,
    pub(super) file: Written,
    /// A line for each object that the rows name: the id of its image's row, and its name.
    pub(super) names: Written,
}

/// Writes all rows of all tables. A line is a table's name with its columns, or the values of a row of it; the last one tells
/// that it is the last.
pub(super) async fn dump(db: &Db, bar: &ProgressBar) -> Result<Dumped, Failure> {
    let (lines, names) = (LineWriter::begin(), LineWriter::begin());
    let read = async |r: &mut Read| {
        let mut counts = BTreeMap::new();
        for table in SCHEMA {
            counts.insert(table.name.to_owned(), dump_table(r, table, &lines, &names, bar).await?);
        }
        Ok::<_, greenlit::Error>(counts)
    };
    // Once: what a second attempt reads would stand behind what the first has written.
    let read = db.read(Opts::default().within(PATIENCE).attempts(1), read).await;
    lines.write("{\"end\":true}\n".to_owned()).await;
    let (file, names) = (lines.finish().await, names.finish().await);
    Ok(Dumped { rows: read?, file: file.map_err(Failure::Place)?, names: names.map_err(Failure::Place)? })
}

async fn dump_table(
    r: &mut Read,
    table: &Table,
    lines: &LineWriter,
    names: &LineWriter,
    bar: &ProgressBar,
) -> greenlit::Result<u64> {
    lines.write(format!("{}\n", json!({"table": table.name, "columns": table.columns}))).await;
    let (mut count, mut last) = (0, None);
    loop {
        let mut rows = table.page(r, last.as_deref()).await?;
        count += rows.len() as u64;
        bar.inc(rows.len() as u64);
        let mut text = String::new();
        for row in &rows {
            let values: Result<Vec<Json>, _> =
                table.columns.iter().zip(row).map(|(column, value)| told(column, value)).collect();
            text += &Json::Array(values?).to_string();
            text.push('\n');
        }
        lines.write(text).await;
        if table.name == "images" {
            let objects: Option<String> = rows.iter().map(|row| objects(table, row)).collect();
            let objects = objects.ok_or_else(|| greenlit::Error::Decode("the name of an image is none".to_owned()))?;
            names.write(objects).await;
        }
        match rows.pop() {
            Some(row) => last = Some(row),
            None => return Ok(count),
        }
    }
}

fn told(column: &str, value: &Value) -> greenlit::Result<Json> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Int(number) if BOOLEANS.contains(&column) => json!(*number != 0),
        Value::Int(number) => json!(number),
        Value::Bool(truth) => json!(truth),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => json!({"bytes": STANDARD.encode(bytes)}),
        _ => return Err(greenlit::Error::Decode(format!("{column} is of a type that has no place in a backup"))),
    })
}

/// The lines for the objects of an image's row.
fn objects(table: &Table, row: &[Value]) -> Option<String> {
    let value = |column: &str| row.get(table.columns.iter().position(|known| *known == column)?);
    let (Value::Int(id), Value::Text(key)) = (value("id")?, value("image_key")?) else { return None };
    let Value::Text(extension) = value("extension")? else { return None };
    let name = Name::parse(&format!("{key}.{extension}"))?;
    let thumbnail = match value("thumb_width")? {
        Value::Null => String::new(),
        _ => format!("{id} {}\n", name.thumbnail()),
    };
    Some(format!("{id} {name}\n{thumbnail}"))
}

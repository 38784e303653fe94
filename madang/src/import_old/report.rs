//! The report: every row that could not be taken over as it was, one JSON object a line, for the operator alone.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde_json::{Map, Value, json};

/// A report that is being written.
pub(super) struct Report {
    file: File,
    /// The lines that an interrupted run left: what it did not commit is found again.
    known: HashSet<String>,
    pending: String,
    counts: BTreeMap<String, u64>,
}

impl Report {
    /// Opens the report, or begins one. A line that was interrupted is cut off.
    pub(super) fn open(path: &Path) -> io::Result<Report> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let text = std::fs::read_to_string(path)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        let known: HashSet<String> = text[..whole].lines().map(str::to_owned).collect();
        let mut counts = BTreeMap::new();
        for line in &known {
            let line: Value = serde_json::from_str(line).map_err(io::Error::other)?;
            *counts.entry(line["problem"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        Ok(Report { file, known, pending: String::new(), counts })
    }

    /// Notes what was wrong with a row, with what of it is not in the new board.
    pub(super) fn note(&mut self, problem: &str, table: &str, id: impl Into<Value>, lost: Value) {
        let mut line = Map::new();
        line.insert("problem".to_owned(), json!(problem));
        line.insert("table".to_owned(), json!(table));
        line.insert("id".to_owned(), id.into());
        line.extend(lost.as_object().cloned().unwrap_or_default());
        let line = Value::Object(line).to_string();
        if self.known.contains(&line) {
            return;
        }
        *self.counts.entry(problem.to_owned()).or_default() += 1;
        self.pending.push_str(&line);
        self.pending.push('\n');
    }

    /// Makes what was noted durable; before the commit of what it is about, so that no line can be missing.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.file.write_all(self.pending.as_bytes())?;
        self.pending.clear();
        self.file.sync_data()
    }

    /// How often each problem was found, by all runs.
    pub(super) fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_there_once_whatever_was_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.jsonl");
        let mut report = Report::open(&path).unwrap();
        report.note("duplicate_like", "likes", 7, json!({}));
        report.sync().unwrap();
        let first = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{first}{{\"problem\":\"dup")).unwrap();
        let mut report = Report::open(&path).unwrap();
        report.note("duplicate_like", "likes", 7, json!({}));
        report.note("duplicate_like", "likes", 8, json!({"feed_id": 1}));
        report.sync().unwrap();
        let lines = std::fs::read_to_string(&path).unwrap();
        assert_eq!(lines.lines().count(), 2, "{lines}");
        assert_eq!(report.counts()["duplicate_like"], 2);
    }
}

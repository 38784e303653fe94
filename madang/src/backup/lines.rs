//! Compressed files of lines, written and read on threads of their own, so that nothing waits for a disk.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write},
};

use aws_lc_rs::digest;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::{JoinHandle, spawn_blocking},
};

use super::Summed;
use crate::secret::hex;

/// How many pieces wait between a disk and what makes or takes them.
const QUEUE: usize = 4;
/// How many lines are read at a time, and after how many bytes no further one is.
const LINES: usize = 2_000;
const BYTES: usize = 4 << 20;
const BUFFER: usize = 256 * 1024;

/// Writes lines into a temporary file without a name.
pub(super) struct LineWriter {
    sender: Sender<String>,
    writing: JoinHandle<io::Result<Written>>,
}

/// A file that was written, to be read from its beginning.
pub(super) struct Written {
    pub(super) file: File,
    bytes: u64,
    sha256: String,
}

impl Written {
    pub(super) fn summed(&self) -> Summed {
        Summed { bytes: self.bytes, sha256: self.sha256.clone() }
    }
}

impl LineWriter {
    pub(super) fn begin() -> LineWriter {
        let (sender, mut pieces) = mpsc::channel::<String>(QUEUE);
        let writing = spawn_blocking(move || {
            let summing = Summing { file: BufWriter::new(tempfile::tempfile()?), context: context(), bytes: 0 };
            let mut gz = GzEncoder::new(summing, Compression::fast());
            while let Some(piece) = pieces.blocking_recv() {
                gz.write_all(piece.as_bytes())?;
            }
            let Summing { file, context, bytes } = gz.finish()?;
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            Ok(Written { file, bytes, sha256: hex(context.finish().as_ref()) })
        });
        LineWriter { sender, writing }
    }

    /// Writes lines, each with its end. What fails is told by [`finish`](LineWriter::finish).
    pub(super) async fn write(&self, lines: String) {
        let _ = self.sender.send(lines).await;
    }

    pub(super) async fn finish(self) -> io::Result<Written> {
        drop(self.sender);
        self.writing.await.map_err(io::Error::other)?
    }
}

/// Reads a compressed file, some lines at a time.
pub(super) struct LineReader {
    pieces: Receiver<io::Result<Vec<String>>>,
}

impl LineReader {
    pub(super) fn begin(file: File) -> LineReader {
        let (sender, pieces) = mpsc::channel(QUEUE);
        spawn_blocking(move || {
            let mut lines =
                BufReader::with_capacity(BUFFER, GzDecoder::new(BufReader::with_capacity(BUFFER, file))).lines();
            loop {
                let piece = piece(&mut lines);
                let is_last = !matches!(&piece, Ok(lines) if !lines.is_empty());
                if sender.blocking_send(piece).is_err() || is_last {
                    return;
                }
            }
        });
        LineReader { pieces }
    }

    /// The next lines; none at the end.
    pub(super) async fn next(&mut self) -> io::Result<Vec<String>> {
        self.pieces.recv().await.unwrap_or_else(|| Ok(Vec::new()))
    }
}

fn piece(lines: &mut impl Iterator<Item = io::Result<String>>) -> io::Result<Vec<String>> {
    let (mut piece, mut bytes) = (Vec::new(), 0);
    while piece.len() < LINES && bytes < BYTES {
        let Some(line) = lines.next().transpose()? else { break };
        bytes += line.len();
        piece.push(line);
    }
    Ok(piece)
}

/// The sum of a file's bytes, and the file at its beginning again.
pub(super) async fn sum(file: File) -> io::Result<(File, Summed)> {
    let summing = spawn_blocking(move || {
        let (mut file, mut context, mut bytes, mut buffer) = (file, context(), 0, vec![0; BUFFER]);
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                read => {
                    context.update(&buffer[..read]);
                    bytes += read as u64;
                }
            }
        }
        file.rewind()?;
        Ok((file, Summed { bytes, sha256: hex(context.finish().as_ref()) }))
    });
    summing.await.map_err(io::Error::other)?
}

fn context() -> digest::Context {
    digest::Context::new(&digest::SHA256)
}

/// Sums what passes through.
struct Summing {
    file: BufWriter<File>,
    context: digest::Context,
    bytes: u64,
}

impl Write for Summing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.context.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_back_and_are_summed() {
        let writer = LineWriter::begin();
        for piece in 0..50 {
            writer.write((0..9).map(|line| format!("{piece} {line} é\n")).collect()).await;
        }
        let written = writer.finish().await.unwrap();
        let (file, summed) = sum(written.file.try_clone().unwrap()).await.unwrap();
        assert_eq!(summed, written.summed());
        let (mut reader, mut lines) = (LineReader::begin(file), Vec::new());
        loop {
            let piece = reader.next().await.unwrap();
            if piece.is_empty() {
                break;
            }
            lines.extend(piece);
        }
        assert_eq!((lines.len(), lines[449].as_str()), (450, "49 8 é"));
    }

    #[tokio::test]
    async fn a_file_that_was_cut_is_no_shorter_one() {
        let writer = LineWriter::begin();
        writer.write("line\n".repeat(10_000)).await;
        let file = writer.finish().await.unwrap().file;
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        let mut reader = LineReader::begin(file);
        loop {
            match reader.next().await {
                Ok(lines) => assert!(!lines.is_empty(), "it ended as if it were whole"),
                Err(_) => return,
            }
        }
    }
}

//! A ZIP that leaves while it is written.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::sync::mpsc;
use zip::{
    CompressionMethod, ZipWriter,
    write::{SimpleFileOptions, StreamWriter},
};

/// Bytes that are sent at a time.
const PIECE: usize = 64 * 1024;

/// What was written and has not been sent yet.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An archive whose bytes go to a channel, at the pace of whoever takes them out.
pub(super) struct Archive {
    zip: ZipWriter<StreamWriter<Written>>,
    written: Written,
    out: mpsc::Sender<io::Result<Bytes>>,
}

impl Archive {
    pub(super) fn new(out: mpsc::Sender<io::Result<Bytes>>) -> Archive {
        let written = Written::default();
        Archive { zip: ZipWriter::new_stream(written.clone()), written, out }
    }

    /// Begins a file; the one before it ends.
    pub(super) fn begin(&mut self, name: &str) -> io::Result<()> {
        // Deflated even if that saves nothing: a file of unknown length that is stored as it is cannot be read as a stream.
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).compression_level(Some(1));
        self.zip.start_file(name, options).map_err(io::Error::other)
    }

    /// Goes on with the file. Waits while nobody takes what was written before.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] if nobody will.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            self.zip.write_all(piece)?;
            send(&self.written, PIECE, &self.out).await?;
        }
        Ok(())
    }

    /// Ends the archive.
    pub(super) async fn finish(self) -> io::Result<()> {
        self.zip.finish().map_err(io::Error::other)?;
        send(&self.written, 0, &self.out).await
    }
}

/// Sends what was written if it is that much.
async fn send(written: &Written, least: usize, out: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let bytes = {
        let mut written = written.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() < least {
            return Ok(());
        }
        std::mem::take(&mut *written)
    };
    out.send(Ok(bytes.into())).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
}

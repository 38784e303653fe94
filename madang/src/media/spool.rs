//! Holds an upload while it arrives.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::mem;
use std::path::PathBuf;

use aws_lc_rs::digest;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;

/// What is collected in memory before it goes to the disk, in bytes: a chunk of the network alone is
/// not worth the way to another thread, and a small upload needs no file.
const BUFFER: usize = 32 * 1024;

/// What all temporary files together may hold: in units of [`BUFFER`], 4 GiB. Uploads that stop before their end would
/// otherwise fill the disk.
const ROOM: usize = (4 << 30) / BUFFER;
static SHARED: Semaphore = Semaphore::const_new(ROOM);

/// Why an upload could not be spooled.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// More bytes than the spool may take.
    #[error("the upload is too large")]
    TooLarge,
    /// The temporary file could not be written.
    #[error("the upload could not be held: {0}")]
    Io(#[from] io::Error),
}

/// A part of an upload, in memory up to 32 KiB and beyond that in a temporary file without a name,
/// which the operating system removes even if the process is killed.
pub struct Spool {
    folder: PathBuf,
    limit: u64,
    length: u64,
    buffer: Vec<u8>,
    file: Option<File>,
    /// What the file takes of the room that all share.
    room: Option<SemaphorePermit<'static>>,
    digest: digest::Context,
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Spool {
    /// An empty spool of at most `limit` bytes, with its file in `folder`.
    pub fn new(folder: impl Into<PathBuf>, limit: u64) -> Self {
        let digest = digest::Context::new(&digest::SHA256);
        Self { folder: folder.into(), limit, length: 0, buffer: Vec::new(), file: None, room: None, digest }
    }

    /// The number of bytes written.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The SHA-256 of what was written so far.
    pub fn digest(&self) -> Vec<u8> {
        self.digest.clone().finish().as_ref().to_vec()
    }

    /// Appends a chunk. After an error, or cancelled, the spool is of no use any more:
    /// [`into_bytes`](Self::into_bytes) fails.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), SpoolError> {
        self.length = self.length.saturating_add(chunk.len() as u64);
        if self.length > self.limit {
            return Err(SpoolError::TooLarge);
        }
        self.digest.update(chunk);
        self.buffer.extend_from_slice(chunk);
        if self.buffer.len() >= BUFFER {
            self.flush().await?;
        }
        Ok(())
    }

    /// Everything that was written.
    ///
    /// # Errors
    /// The file cannot be read, or a [`write`](Self::write) failed or was cancelled.
    pub async fn into_bytes(self) -> io::Result<Vec<u8>> {
        let Self { length, buffer, file, room: _room, .. } = self;
        let bytes = match file {
            None => buffer,
            Some(mut file) => {
                let reading = spawn_blocking(move || {
                    let mut bytes = Vec::with_capacity(length as usize);
                    file.rewind()?;
                    file.read_to_end(&mut bytes)?;
                    bytes.extend_from_slice(&buffer);
                    io::Result::Ok(bytes)
                });
                reading.await.map_err(io::Error::other)??
            }
        };
        if bytes.len() as u64 != length {
            return Err(io::Error::other("the upload was not spooled whole"));
        }
        Ok(bytes)
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.take_room(&SHARED)?;
        let mut buffer = mem::take(&mut self.buffer);
        let file = self.file.take();
        let folder = self.folder.clone();
        let writing = spawn_blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => tempfile::tempfile_in(folder)?,
            };
            file.write_all(&buffer)?;
            buffer.clear();
            io::Result::Ok((file, buffer))
        });
        let (file, buffer) = writing.await.map_err(io::Error::other)??;
        self.file = Some(file);
        self.buffer = buffer;
        Ok(())
    }

    /// Accounts for what is in memory before it goes to the file.
    fn take_room(&mut self, shared: &'static Semaphore) -> io::Result<()> {
        let units = u32::try_from(self.buffer.len().div_ceil(BUFFER)).unwrap_or(u32::MAX);
        let full =
            |_| io::Error::new(io::ErrorKind::StorageFull, "uploads under way have all the room there is for them");
        let more = shared.try_acquire_many(units).map_err(full)?;
        match &mut self.room {
            Some(room) => room.merge(more),
            None => self.room = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i % 251) as u8).collect()
    }

    #[tokio::test]
    async fn bytes_come_back_in_order_whatever_the_chunks() {
        let folder = tempfile::tempdir().unwrap();
        for length in [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, 3 * BUFFER + 5] {
            for chunk in [1_000, 8 * 1024, BUFFER * 2] {
                let bytes = pattern(length);
                let mut spool = Spool::new(folder.path(), length as u64);
                for chunk in bytes.chunks(chunk) {
                    spool.write(chunk).await.unwrap();
                }
                assert_eq!((spool.len(), spool.is_empty()), (length as u64, length == 0));
                assert_eq!(spool.into_bytes().await.unwrap(), bytes);
            }
        }
    }

    #[tokio::test]
    async fn small_uploads_need_no_disk_and_large_ones_leave_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut small = Spool::new("/nonexistent", 1 << 20);
        small.write(&pattern(1_000)).await.unwrap();
        assert_eq!(small.into_bytes().await.unwrap().len(), 1_000);

        let mut large = Spool::new(folder.path(), 1 << 20);
        large.write(&pattern(BUFFER)).await.unwrap();
        assert!(large.file.is_some());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn f35_temporary_files_have_so_much_room_together() {
        static SHARED: Semaphore = Semaphore::const_new(3);
        let mut spools = [(); 3].map(|()| Spool::new("/nonexistent", u64::MAX));
        for spool in &mut spools {
            spool.buffer = pattern(BUFFER + 1);
        }
        let [first, second, third] = &mut spools;
        first.take_room(&SHARED).unwrap();
        assert_eq!(second.take_room(&SHARED).unwrap_err().kind(), io::ErrorKind::StorageFull);
        third.buffer.truncate(BUFFER);
        third.take_room(&SHARED).unwrap();
        drop(spools);
        assert_eq!(SHARED.available_permits(), 3);
    }

    #[tokio::test]
    async fn too_much_is_refused_for_good() {
        let mut spool = Spool::new("/nonexistent", 10);
        spool.write(&[0; 10]).await.unwrap();
        assert!(matches!(spool.write(&[0]).await, Err(SpoolError::TooLarge)));
        assert!(matches!(spool.write(&[]).await, Err(SpoolError::TooLarge)));
        assert!(spool.into_bytes().await.is_err());
    }

    #[tokio::test]
    async fn a_disk_that_fails_is_an_error_and_stays_one() {
        let mut spool = Spool::new("/nonexistent", 1 << 20);
        let failed = spool.write(&pattern(BUFFER)).await;
        assert!(matches!(failed, Err(SpoolError::Io(_))));
        spool.write(b"more").await.unwrap();
        assert!(spool.into_bytes().await.is_err());
    }
}

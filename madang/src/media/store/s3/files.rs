//! Whole files under keys of our own choice, for backups.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    time::Duration,
};

use futures_util::StreamExt;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart, path::Path};
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    S3Store,
    call::{LONG, SHORT, call, failure, is_absent, too_late},
};

/// A file is sent in parts of this size, one at a time.
const PART: usize = 8 << 20;
/// How long a part may take.
const PATIENCE: Duration = Duration::from_secs(300);

impl S3Store {
    /// Stores a file from its beginning, in parts if it is large.
    ///
    /// # Errors
    /// The bucket cannot be reached or refuses it; then there is no such file, or the one that was there before.
    pub async fn put_file(&self, key: &str, file: File) -> io::Result<()> {
        let path = Path::from(self.url.path_of(key));
        let (mut file, mut part) = read_part(file).await?;
        if part.len() < PART {
            let payload = PutPayload::from(part);
            return call(LONG, || self.client.put(&path, payload.clone())).await.map(drop);
        }
        let parts = self.client.put_multipart(&path).await.map_err(|e| failure(&e))?;
        let mut writing = WriteMultipart::new_with_chunk_size(parts, PART);
        while !part.is_empty() {
            writing.put(part.into());
            let sent = timeout(PATIENCE, writing.wait_for_capacity(1)).await.map_err(|_| too_late());
            if let Err(e) = sent.and_then(|sent| sent.map_err(|e| failure(&e))) {
                // Else the parts would be kept, and paid for.
                let _ = timeout(SHORT.total, writing.abort()).await;
                return Err(e);
            }
            (file, part) = read_part(file).await?;
        }
        let finished = timeout(PATIENCE, writing.finish()).await;
        finished.map_err(|_| too_late())?.map(drop).map_err(|e| failure(&e))
    }

    /// Fetches a file into a temporary one without a name.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or the bucket cannot be reached or refuses it.
    pub async fn get_file(&self, key: &str) -> io::Result<File> {
        let mut pieces = self.open_key(key).await?.pieces;
        let mut file = tempfile::tempfile()?;
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            let writing = spawn_blocking(move || file.write_all(&piece).map(|()| file));
            file = writing.await.map_err(io::Error::other)??;
        }
        file.rewind()?;
        Ok(file)
    }

    /// What the keys below this one have behind it.
    ///
    /// # Errors
    /// The bucket cannot be reached or refuses it.
    pub async fn keys(&self, below: &str) -> io::Result<Vec<String>> {
        let folder = Path::from(self.url.path_of(below));
        let (mut listed, mut keys) = (self.client.list(Some(&folder)), Vec::new());
        while let Some(object) = timeout(SHORT.total, listed.next()).await.map_err(|_| too_late())? {
            let location = object.map_err(|e| failure(&e))?.location;
            let parts: Vec<String> =
                location.prefix_match(&folder).into_iter().flatten().map(|part| part.as_ref().to_owned()).collect();
            keys.push(parts.join("/"));
        }
        Ok(keys)
    }

    /// Deletes what is under a key; what is absent counts as deleted.
    ///
    /// # Errors
    /// The bucket cannot be reached, or refuses it.
    pub async fn delete_key(&self, key: &str) -> io::Result<()> {
        let path = Path::from(self.url.path_of(key));
        let delete = async || match self.client.delete(&path).await {
            Err(e) if is_absent(&e) => Ok(()),
            deleted => deleted,
        };
        call(SHORT, delete).await
    }
}

/// The next part of a file, shorter than the others at its end.
async fn read_part(mut file: File) -> io::Result<(File, Vec<u8>)> {
    let reading = spawn_blocking(move || {
        let mut part = Vec::new();
        (&mut file).take(PART as u64).read_to_end(&mut part)?;
        Ok((file, part))
    });
    reading.await.map_err(io::Error::other)?
}

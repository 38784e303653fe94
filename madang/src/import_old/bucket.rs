//! Images out of the old board's own bucket, which is only read.
//!
//! The bucket is the operator's, so what is in the way is his matter: but for objects that are not there, the import stops
//! rather than leave images behind.

use std::{fmt::Display, io::ErrorKind, iter};

use futures_util::TryStreamExt;
use reqwest::Url;
use tokio::time::timeout;

use super::images::{Missing, PATIENCE, write};
use crate::{
    media::{
        spool::Spool,
        store::{Object, S3Store},
    },
    store_url::S3Url,
};

pub(super) struct Bucket {
    url: S3Url,
    store: S3Store,
}

impl Bucket {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn open(url: &S3Url) -> Result<Bucket, String> {
        Ok(Bucket { url: url.clone(), store: S3Store::open(url)? })
    }

    /// Brings the object that an image's address speaks of.
    pub(super) async fn fetch(&self, url: &Url, upload: Spool) -> Result<Spool, Missing> {
        let fetched = timeout(PATIENCE, async {
            for key in keys(&self.url, url) {
                match self.store.open_key(&key).await {
                    Ok(object) => return read(&key, object, upload).await,
                    Err(e) if e.kind() == ErrorKind::NotFound => {}
                    Err(e) if e.kind() == ErrorKind::InvalidInput => {
                        return Err(Missing::Forbidden("its path is no key of a bucket".to_owned()));
                    }
                    Err(e) => return Err(given_up(&key, &e)),
                }
            }
            Err(Missing::Absent("not in the bucket".to_owned()))
        });
        fetched.await.unwrap_or_else(|_| Err(given_up(url.path(), "it took too long")))
    }
}

async fn read(key: &str, mut object: Object, mut upload: Spool) -> Result<Spool, Missing> {
    while let Some(piece) = object.pieces.try_next().await.map_err(|e| given_up(key, &e))? {
        write(&mut upload, &piece).await?;
    }
    Ok(upload)
}

fn given_up(key: &str, why: impl Display) -> Missing {
    Missing::GivenUp(format!(
        "{key} cannot be read: {why}; mend that and run the same command again, or name a copy of the bucket by --images"
    ))
}

/// The keys below the prefix that the address may mean, the likeliest first. Other hosts are taken for names of the bucket.
fn keys(bucket: &S3Url, url: &Url) -> impl Iterator<Item = String> {
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
    let path = path.trim_start_matches('/').to_owned();
    let host = url.host_str().unwrap_or_default().strip_prefix(&bucket.bucket);
    let named_by_host = host.is_some_and(|rest| rest.starts_with('.'));
    let behind = |path: &str, first: &str| Some(path.strip_prefix(first)?.strip_prefix('/')?.to_owned());
    let in_path = if named_by_host { None } else { behind(&path, &bucket.bucket) };
    let prefix = bucket.prefix.clone();
    in_path.into_iter().chain(iter::once(path)).map(move |key| behind(&key, &prefix).unwrap_or(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store_url::StoreUrl;

    #[test]
    fn an_address_means_a_key() {
        let keys_of = |bucket: &str, address: &str| {
            let Ok(StoreUrl::S3(bucket)) = StoreUrl::parse(bucket) else { panic!("{bucket}") };
            keys(&bucket, &Url::parse(address).unwrap()).collect::<Vec<_>>()
        };
        for (bucket, address, expected) in [
            ("s3://old", "https://old.s3.eu-west-1.amazonaws.com/a/b.png", &["a/b.png"][..]),
            ("s3://old", "https://old.s3.amazonaws.com/old/b.png", &["old/b.png"]),
            ("s3://old", "https://s3.eu-west-1.amazonaws.com/old/a/b.png", &["a/b.png", "old/a/b.png"]),
            ("s3://old", "http://127.0.0.1:9000/old/a.png?versionId=3", &["a.png", "old/a.png"]),
            ("s3://old", "https://cdn.example/a%20b/%EA%B0%80%2B.png", &["a b/가+.png"]),
            ("s3://old", "https://cdn.example/older/a.png", &["older/a.png"]),
            ("s3://old/up", "https://old.s3.amazonaws.com/up/a.png", &["a.png"]),
            ("s3://old/up", "https://cdn.example/a.png", &["a.png"]),
            ("s3://old/up", "https://cdn.example/upper/a.png", &["upper/a.png"]),
        ] {
            assert_eq!(keys_of(bucket, address), expected, "{bucket} {address}");
        }
    }
}

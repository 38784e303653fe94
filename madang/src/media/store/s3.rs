//! Pictures in a bucket.
//!
//! Nothing here depends on conditional requests, nor on checksums, which servers understand differently. A picture is stored
//! by one request, so it is there whole or not at all; whether it is whole is asked afterwards, since a proxy in between may
//! lose a part and say nothing.

mod call;
mod files;

use std::{io, ops::Range, sync::Arc};

use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::{
    Attribute, AttributeValue, Attributes, ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt,
    PutOptions, PutPayload, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use tokio::time::timeout;

use super::{Head, Name, Object, Pieces};
use crate::{
    clock::Timestamp,
    fault::{self, Point},
    store_url::S3Url,
};
use call::{CONNECT, GAP, IDLE, LONG, SHORT, call, failure, is_absent, not_whole, too_late};

/// The most bytes that S3 lets a key have.
const KEY: usize = 1_024;

/// A bucket. Clones are the same store.
#[derive(Debug, Clone)]
pub struct S3Store {
    url: Arc<S3Url>,
    client: Arc<AmazonS3>,
}

impl S3Store {
    /// Prepares a store with the credentials of the environment. Nothing is sent yet.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn open(url: &S3Url) -> Result<Self, String> {
        let client = ClientOptions::new()
            .with_allow_http(url.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://")))
            .with_connect_timeout(CONNECT)
            .with_pool_idle_timeout(IDLE)
            .with_timeout_disabled(); // the deadlines are ours: see `call`
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&url.bucket)
            .with_client_options(client)
            .with_disable_bulk_delete(true) // not every server has it
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
        if let Some(endpoint) = &url.endpoint {
            builder = builder.with_endpoint(endpoint).with_virtual_hosted_style_request(false);
        }
        if let Some(region) = &url.region {
            builder = builder.with_region(region);
        }
        // The error may quote a variable of the environment.
        let cannot =
            |_| "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what else begins with AWS_, do not fit together";
        let client = builder.build().map_err(cannot)?;
        Ok(Self { url: Arc::new(url.clone()), client: Arc::new(client) })
    }

    /// Asks the bucket for its first objects: whether it is there and the credentials are good.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn probe(&self) -> io::Result<()> {
        self.list().next().await.map_or(Ok(()), |first| first.map(drop))
    }

    /// Stores an object, and asks for its length then.
    ///
    /// # Errors
    /// The bucket cannot be reached, refuses it, or has another length; it may arrive nevertheless, also later.
    pub async fn put(&self, name: &Name, bytes: Vec<u8>) -> io::Result<()> {
        let path = self.path(name);
        let length = bytes.len() as u64;
        let payload = PutPayload::from(bytes);
        let attributes = [
            (Attribute::ContentType, AttributeValue::from(name.format().content_type())),
            (Attribute::CacheControl, AttributeValue::from(super::CACHE_CONTROL)),
        ];
        let options = PutOptions { attributes: Attributes::from_iter(attributes), ..PutOptions::default() };
        let put = async || {
            self.client.put_opts(&path, payload.clone(), options.clone()).await?;
            match self.client.head(&path).await {
                Ok(object) if object.size == length => Ok(()),
                Err(e) if !is_absent(&e) => Err(e),
                _ => Err(not_whole()),
            }
        };
        fault::point(Point::BucketPut);
        call(LONG, put).await?;
        fault::point(Point::BucketStored);
        Ok(())
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or the bucket cannot be reached or refuses it.
    pub async fn get(&self, name: &Name) -> io::Result<Vec<u8>> {
        let path = self.path(name);
        let read = async || self.client.get(&path).await?.bytes().await;
        call(LONG, read).await.map(Vec::from)
    }

    /// The number of an object's bytes, and when the bucket took it.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn head(&self, name: &Name) -> io::Result<Head> {
        let path = self.path(name);
        let object = call(SHORT, || self.client.head(&path)).await?;
        Ok(Head { length: object.size, modified: Timestamp(object.last_modified.timestamp_micros()) })
    }

    /// Opens an object for reading piece by piece. Each piece has a deadline, the whole has none: clients may be slow.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn open_object(&self, name: &Name, part: Option<Range<u64>>) -> io::Result<Object> {
        self.open_path(&self.path(name), part).await
    }

    /// The same for any key, of a bucket that others filled. Of what is not below the prefix nothing is told.
    ///
    /// # Errors
    /// As [`get`](Self::get), or [`io::ErrorKind::InvalidInput`] for what is no key.
    pub async fn open_key(&self, key: &str) -> io::Result<Object> {
        // Not `Path::from`, which would encode it. An empty key would ask for the bucket.
        let path = Path::parse(self.url.path_of(key)).ok().filter(|path| !key.is_empty() && path.as_ref().len() <= KEY);
        self.open_path(&path.ok_or(io::ErrorKind::InvalidInput)?, None).await
    }

    async fn open_path(&self, path: &Path, part: Option<Range<u64>>) -> io::Result<Object> {
        let options = GetOptions { range: part.map(GetRange::Bounded), ..GetOptions::default() };
        let object = call(SHORT, || self.client.get_opts(path, options.clone())).await?;
        Ok(Object { length: object.meta.size, pieces: paced(object.into_stream()) })
    }

    /// Deletes an object; one that is absent counts as deleted.
    ///
    /// # Errors
    /// The bucket cannot be reached, or refuses it.
    pub async fn delete(&self, name: &Name) -> io::Result<()> {
        let path = self.path(name);
        let delete = async || match self.client.delete(&path).await {
            Err(e) if is_absent(&e) => Ok(()),
            deleted => deleted,
        };
        fault::point(Point::BucketDelete);
        call(SHORT, delete).await
    }

    /// The names of all objects, a page of the bucket at a time.
    pub fn list(&self) -> BoxStream<'_, io::Result<Name>> {
        let folder = Path::from(self.url.prefix.as_str());
        let listed = self.client.list(Some(&folder));
        let listing = stream::unfold(Some(listed), |listed| async {
            let mut listed = listed?;
            match timeout(SHORT.total, listed.next()).await {
                Ok(Some(Ok(object))) => Some((Ok(object.location), Some(listed))),
                Ok(Some(Err(e))) => Some((Err(failure(&e)), None)),
                Ok(None) => None,
                Err(_) => Some((Err(too_late()), None)),
            }
        });
        let ours = move |location: io::Result<Path>| {
            let name = location.map(|location| {
                let parts: Vec<_> = location.prefix_match(&folder)?.collect();
                // What lies deeper is another's.
                if let [name] = &parts[..] { Name::parse(name.as_ref()) } else { None }
            });
            std::future::ready(name.transpose())
        };
        listing.filter_map(ours).boxed()
    }

    /// The bucket and the prefix. Not the server, which may have another name for each who asks.
    pub fn place(&self) -> String {
        format!("s3://{}", self.url.path_from_bucket())
    }

    /// Where clients find the object without us.
    pub fn public_url(&self, name: &Name) -> Option<String> {
        self.public_base().map(|public| format!("{public}/{}", self.url.path_of(name)))
    }

    /// See [`Store::public_base`](super::Store::public_base).
    pub fn public_base(&self) -> Option<&str> {
        self.url.public_url.as_deref()
    }

    fn path(&self, name: &Name) -> Path {
        Path::from(self.url.path_of(name))
    }
}

fn paced(pieces: BoxStream<'static, object_store::Result<bytes::Bytes>>) -> Pieces {
    let next = |pieces: Option<BoxStream<'static, _>>| async {
        let mut pieces = pieces?;
        match timeout(GAP, pieces.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(pieces))),
            Ok(Some(Err(e))) => Some((Err(failure(&e)), None)),
            Ok(None) => None,
            Err(_) => Some((Err(too_late()), None)),
        }
    };
    stream::unfold(Some(pieces), next).boxed()
}

//! A folder of a real bucket for each test, behind a proxy that can come between.

use std::net::SocketAddr;

use futures_util::TryStreamExt;
use madang::store_url::{S3Url, StoreUrl};
use object_store::{
    ObjectStore, ObjectStoreExt,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// The bucket that `scripts/test` makes.
const BUCKET: &str = "madang-test";

/// What comes between a board and its bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Connections break at once.
    Broken,
    /// Requests are taken and never answered.
    Silent,
    /// Requests are refused with this status, in words that repeat the request.
    Refusing(u16),
}

/// Where a test's images are. Everything in it is deleted when it is dropped.
pub(crate) struct Bucket {
    /// Around the proxy.
    direct: S3Url,
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    proxy: JoinHandle<()>,
}

impl Bucket {
    /// A new folder, if the tests were given a server: `MADANG_TEST_S3` is its address, the credentials are in `AWS_...`.
    pub(crate) async fn new() -> Option<Bucket> {
        let server = std::env::var("MADANG_TEST_S3").ok()?;
        let folder = madang::secret::random_name();
        let url = format!("s3://{BUCKET}/{folder}?endpoint={server}&region=us-east-1");
        let StoreUrl::S3(direct) = StoreUrl::parse(&url).unwrap() else { panic!("{url}") };
        let (fault, faults) = watch::channel(Fault::None);
        let (address, proxy) = proxy(server.strip_prefix("http://").unwrap().to_owned(), faults).await;
        Some(Bucket { direct, address, fault, proxy })
    }

    /// For `--media`.
    pub(crate) fn url(&self) -> String {
        format!("s3://{BUCKET}/{}?endpoint=http://{}&region=us-east-1", self.direct.prefix, self.address)
    }

    /// The bucket itself, around the board and the proxy, and where the folder is in it.
    pub(crate) fn direct(&self) -> (AmazonS3, Path) {
        direct(&self.direct)
    }

    /// Breaks what is under way, and lets this happen to what comes.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.proxy.abort();
        let url = self.direct.clone();
        let clean = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, folder) = direct(&url);
                let objects: Vec<_> = client.list(Some(&folder)).try_collect().await.unwrap();
                for object in objects {
                    client.delete(&object.location).await.unwrap();
                }
            });
        };
        // The runtime of the test cannot wait here.
        let cleaned = std::thread::spawn(clean).join();
        assert!(cleaned.is_ok() || std::thread::panicking(), "the bucket was not cleaned");
    }
}

fn direct(url: &S3Url) -> (AmazonS3, Path) {
    let builder = AmazonS3Builder::from_env().with_bucket_name(&url.bucket).with_allow_http(true);
    let endpoint = url.endpoint.clone().unwrap();
    (builder.with_endpoint(endpoint).with_disable_bulk_delete(true).build().unwrap(), Path::from(&*url.prefix))
}

/// A server that does to every connection what `faults` says, and in peace leads it to `server`.
pub(crate) async fn proxy(server: String, faults: watch::Receiver<Fault>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async move {
        while let Ok((client, _)) = listener.accept().await {
            let (server, mut faults) = (server.clone(), faults.clone());
            tokio::spawn(async move {
                let fault = *faults.borrow_and_update();
                tokio::select! {
                    () = connection(client, &server, fault) => {}
                    _ = faults.changed() => {}
                }
            });
        }
    };
    (address, tokio::spawn(serve))
}

async fn connection(mut client: TcpStream, server: &str, fault: Fault) {
    match fault {
        Fault::None => {
            let mut upstream = TcpStream::connect(server).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut upstream).await;
        }
        Fault::Broken => {}
        Fault::Silent => while client.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {},
        Fault::Refusing(status) => {
            let mut request = vec![0; 4096];
            let length = client.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..length]);
            let body = format!("<Error><Code>AccessDenied</Code><Message>{request}</Message></Error>");
            let head =
                format!("HTTP/1.1 {status} Refused\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = client.write_all((head + &body).as_bytes()).await;
            let _ = client.shutdown().await;
            // Until the client has read it: closed earlier, the answer might be lost.
            while client.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {}
        }
    }
}

//! A folder of a real bucket for each test, behind a proxy that can come between.

mod puts;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

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
    /// The connection breaks when half of an object is through.
    CutsObjects,
    /// Objects are stored by half, and the answer is 200.
    HalvesObjects,
    /// Objects are stored, and the answer to the first attempt is lost.
    LosesAnswers,
    /// Objects are taken, not stored, and the connection breaks; see [`Bucket::deliver`].
    KeepsObjects,
}

/// Where a test's images are. Everything in it is deleted when it is dropped.
pub(crate) struct Bucket {
    /// Around the proxy.
    direct: S3Url,
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    server: Arc<Server>,
    proxy: JoinHandle<()>,
}

/// What the proxy leads to.
pub(crate) struct Server {
    address: String,
    objects: puts::Objects,
    /// How many requests were refused.
    refused: AtomicUsize,
}

impl Server {
    pub(crate) fn at(address: &str) -> Arc<Server> {
        let (objects, refused) = (puts::Objects::default(), AtomicUsize::new(0));
        Arc::new(Server { address: address.to_owned(), objects, refused })
    }
}

impl Bucket {
    /// A new folder, if the tests were given a server: `MADANG_TEST_S3` is its address, the credentials are in `AWS_...`.
    pub(crate) async fn new() -> Option<Bucket> {
        let server = std::env::var("MADANG_TEST_S3").ok()?;
        let folder = madang::secret::random_name();
        let url = format!("s3://{BUCKET}/{folder}?endpoint={server}&region=us-east-1");
        let StoreUrl::S3(direct) = StoreUrl::parse(&url).unwrap() else { panic!("{url}") };
        let (fault, faults) = watch::channel(Fault::None);
        let server = Server::at(server.strip_prefix("http://").unwrap());
        let (address, proxy) = proxy(Arc::clone(&server), faults).await;
        Some(Bucket { direct, address, fault, server, proxy })
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

    /// Stores the objects that were kept. Returns how many there were.
    pub(crate) async fn deliver(&self) -> usize {
        self.server.objects.deliver(&self.server.address).await
    }

    /// How many requests were refused.
    pub(crate) fn refused(&self) -> usize {
        self.server.refused.load(Relaxed)
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
pub(crate) async fn proxy(server: Arc<Server>, faults: watch::Receiver<Fault>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async move {
        while let Ok((client, _)) = listener.accept().await {
            let (server, mut faults) = (Arc::clone(&server), faults.clone());
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

async fn connection(mut client: TcpStream, server: &Server, fault: Fault) {
    match fault {
        Fault::None => {
            let mut upstream = TcpStream::connect(&server.address).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut upstream).await;
        }
        Fault::Broken => {}
        Fault::Silent => while client.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {},
        Fault::CutsObjects | Fault::HalvesObjects | Fault::LosesAnswers | Fault::KeepsObjects => {
            puts::connection(client, server, fault).await;
        }
        Fault::Refusing(status) => {
            server.refused.fetch_add(1, Relaxed);
            let mut request = vec![0; 4096];
            let length = client.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..length]);
            let word = if status == 503 { "SlowDown" } else { "AccessDenied" };
            let body = format!("<Error><Code>{word}</Code><Message>{request}</Message></Error>");
            let head =
                format!("HTTP/1.1 {status} Refused\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = client.write_all((head + &body).as_bytes()).await;
            let _ = client.shutdown().await;
            // Until the client has read it: closed earlier, the answer might be lost.
            while client.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {}
        }
    }
}

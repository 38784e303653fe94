//! What a server, or a proxy before it, may do to objects that are stored. Everything else passes.

use std::{collections::HashSet, io, sync::Mutex};

use object_store::{ObjectStoreExt, aws::AmazonS3Builder, path::Path};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::TcpStream,
};

use super::{BUCKET, Fault, Server};

/// Objects of a server that is at fault.
#[derive(Default)]
pub(super) struct Objects {
    kept: Mutex<Vec<(Path, Vec<u8>)>>,
    /// Those whose first answer was lost.
    lost: Mutex<HashSet<Path>>,
}

impl Objects {
    pub(super) async fn deliver(&self, address: &str) -> usize {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap());
        for (path, bytes) in &kept {
            store(address, path, bytes.clone()).await;
        }
        kept.len()
    }
}

/// Around the proxy, with credentials of the own.
async fn store(address: &str, path: &Path, bytes: Vec<u8>) {
    let builder = AmazonS3Builder::from_env().with_bucket_name(BUCKET).with_allow_http(true);
    let client = builder.with_endpoint(format!("http://{address}")).build().unwrap();
    client.put(path, bytes.into()).await.unwrap();
}

/// One request.
pub(super) async fn connection(mut client: TcpStream, server: &Server, fault: Fault) {
    let Ok(mut request) = Request::read(&mut client).await else { return };
    let path = match request.object() {
        Some(path) if fault != Fault::CutsObjects => path,
        object => {
            if object.is_some() {
                request.body.truncate(request.body.len() / 2);
            }
            let mut upstream = TcpStream::connect(&server.address).await.unwrap();
            let _ = upstream.write_all(&request.head_that_closes()).await;
            let _ = upstream.write_all(&request.body).await;
            if object.is_none() {
                let _ = copy(&mut upstream, &mut client).await;
            }
            return;
        }
    };
    match fault {
        Fault::KeepsObjects => return server.objects.kept.lock().unwrap().push((path, request.body)),
        Fault::HalvesObjects => request.body.truncate(request.body.len() / 2),
        _ => {}
    }
    store(&server.address, &path, request.body).await;
    if fault == Fault::LosesAnswers && server.objects.lost.lock().unwrap().insert(path) {
        return;
    }
    let answer = "HTTP/1.1 200 OK\r\netag: \"x\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let _ = client.write_all(answer.as_bytes()).await;
}

struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    async fn read(client: &mut TcpStream) -> io::Result<Request> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap();
        let small = head.to_ascii_lowercase();
        let length = small.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        client.read_exact(&mut body).await?;
        Ok(Request { head, body })
    }

    /// What it stores.
    fn object(&self) -> Option<Path> {
        let target = self.head.strip_prefix("PUT ")?.split(' ').next()?;
        Path::parse(target.strip_prefix(&format!("/{BUCKET}/"))?).ok()
    }

    /// Its head, and the server closes after the answer.
    fn head_that_closes(&self) -> Vec<u8> {
        self.head.replacen("\r\n", "\r\nconnection: close\r\n", 1).into_bytes()
    }
}

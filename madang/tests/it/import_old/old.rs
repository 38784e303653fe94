//! A board of the old kind: its database, and the server of its images.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use greenlit::{Db, Migration, testing::Scratch};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// The bcrypt hash of everybody's password in these tests.
pub(super) const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS";

/// A database made by this script, on the server for tests.
pub(super) async fn database(script: String) -> Scratch {
    let scratch = Scratch::postgres().await.unwrap();
    let db = Db::open(scratch.url()).await.unwrap();
    // A migration is what runs a script; its own tables are among those that an import leaves behind.
    let sql: &'static str = Box::leak(script.into_boxed_str());
    db.migrate(&[Migration { version: 1, name: "old", sql }]).await.unwrap();
    scratch
}

/// The tables as SQLAlchemy made them. The two that name users by their addresses do not refer to them.
pub(super) const TABLES: &str = "
    create table users (id serial primary key, email varchar, password varchar, nickname varchar,
        birthday date, create_dt timestamptz);
    create table feeds (id serial primary key, title varchar, content text, image_urls json, author_email varchar,
        create_dt timestamptz, update_dt timestamptz);
    create table comments (id serial primary key, content text, feed_id integer, author_email varchar,
        create_dt timestamptz, update_dt timestamptz);
    create table likes (id serial primary key, user_id integer, feed_id integer, comment_id integer);
    create table follows (follower_id integer, following_id integer, primary key (follower_id, following_id));
";

/// Serves bytes by path, each after a pause; 404 for other paths.
pub(super) struct ImageServer {
    pub(super) base: String,
    requests: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl ImageServer {
    pub(super) async fn start(files: &[(&str, Vec<u8>)], pause: Duration) -> ImageServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let files: Arc<HashMap<String, Vec<u8>>> =
            Arc::new(files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.clone())).collect());
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (files, counted) = (files.clone(), counted.clone());
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                        if stream.read_buf(&mut request).await.unwrap_or_default() == 0 {
                            return;
                        }
                    }
                    counted.fetch_add(1, SeqCst);
                    tokio::time::sleep(pause).await;
                    let request = String::from_utf8(request).unwrap();
                    let path = request.split(' ').nth(1).unwrap();
                    let answer = match files.get(path) {
                        // Where it leads would be found.
                        None if path == "/moved" => {
                            b"HTTP/1.1 302 Found\r\nlocation: /a.png\r\ncontent-length: 0\r\n\r\n".to_vec()
                        }
                        None => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
                        Some(bytes) => {
                            let head = format!(
                                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                                bytes.len()
                            );
                            [head.as_bytes(), bytes].concat()
                        }
                    };
                    let _ = stream.write_all(&answer).await;
                });
            }
        });
        ImageServer { base, requests, task }
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }
}

impl Drop for ImageServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

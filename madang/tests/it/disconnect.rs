//! Clients who leave in the middle: whatever they had begun is whole or absent, and nobody after them notices.

use std::{net::SocketAddr, time::Duration};

use greenlit::Dialect;
use madang::http::serve::{Limits, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::support::{
    Client, TestApp, on_each_database, pictures,
    random::{Random, seed},
    wire::Wire,
};

const CLIENTS: u64 = 8;
const REQUESTS_OF_EACH: u32 = 250;

/// The board on a real socket.
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(app: &TestApp) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { stopped.await.unwrap_or_default() };
        let task = tokio::spawn(serve(listener, app.router.clone(), Limits::default(), shutdown));
        Server { address, stop, task }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(Duration::from_secs(30), self.task).await.unwrap().unwrap().unwrap();
    }
}

/// Sends a create and leaves somewhere: before its end, while the answer is awaited, or after it. Returns the feed's id if
/// the answer came.
async fn create_and_leave(wire: &Wire, random: &mut Random, number: u32) -> Option<i64> {
    let with_picture = random.below(4) == 0;
    let files = if with_picture { vec![pictures::png()] } else { Vec::new() };
    let request = wire.create_feed(&format!("feed {number}"), &files);
    let mut stream = TcpStream::connect(wire.address).await.unwrap();
    let manner = random.below(10);
    if manner < 3 {
        let _ = stream.write_all(&request[..random.below(request.len())]).await;
        return None;
    }
    let _ = stream.write_all(&request).await;
    if manner < 9 {
        let patience = Duration::from_micros(random.below(40_000) as u64);
        let mut first = [0; 12];
        // Some leave when the answer begins, which the server may take for a reset while it writes.
        if timeout(patience, stream.read_exact(&mut first)).await.is_ok() {
            assert_eq!(&first, b"HTTP/1.1 200");
        }
        return None;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8(answer).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let feed: serde_json::Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
    feed["id"].as_i64()
}

/// Every connection of the pool is as good as new: a hundred requests in a row succeed.
async fn assert_healthy(app: &TestApp, ann: &Client) {
    for round in 0..50 {
        ann.get("/api/feed/list").await.expect(200);
        let feed = ann.create_feed(&format!("after {round}"), &[]).await;
        ann.get(&format!("/api/feed/read/{}", feed["id"])).await.expect(200);
    }
    assert_eq!(app.app.db.stats().warnings, 0, "{:?}", app.app.db.stats());
    if app.app.db.dialect() == Dialect::Postgres {
        let idle = "select count(*) from pg_stat_activity \
                    where datname = current_database() and state like 'idle in transaction%'";
        assert_eq!(app.app.db.fetch_one::<(i64,)>(idle, vec![]).await.unwrap().0, 0);
    }
}

on_each_database! {
    async fn f04_two_thousand_creates_whose_clients_leave(app: TestApp) {
        let seed = seed();
        let ann = app.user("ann").await;
        let server = Server::start(&app).await;
        let wire = Wire { address: server.address, token: ann.token.clone() };
        let mut tasks = JoinSet::new();
        for client in 0..CLIENTS {
            let wire = wire.clone();
            tasks.spawn(async move {
                let mut random = Random(seed.wrapping_add(client.wrapping_mul(0x9e37_79b9_7f4a_7c15)).max(1));
                let mut acknowledged = Vec::new();
                for number in 0..REQUESTS_OF_EACH {
                    acknowledged.extend(create_and_leave(&wire, &mut random, number).await);
                }
                acknowledged
            });
        }
        let acknowledged = tasks.join_all().await.concat();
        assert!(acknowledged.len() > 50);
        assert_healthy(&app, &ann).await;
        server.stop().await;

        for id in acknowledged {
            ann.get(&format!("/api/feed/read/{id}")).await.expect(200);
        }
        let list = ann.get("/api/feed/list").await.expect(200);
        assert_eq!(list["pagination"]["total_count"], app.count("feeds").await);
        // What blocking threads still had to write is written; what was staged expires.
        sleep(Duration::from_millis(500)).await;
        app.clock.advance(Duration::from_secs(2 * 60 * 60));
        app.assert_consistent().await;
    }
}

//! What connections may cost, and how they end.

use tokio::net::TcpSocket;
use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn h01_h02_dripping_silent_and_idle_connections_are_closed() {
    let limits = Limits { head_time: Duration::from_secs(1), ..Limits::default() };
    let server = Server::with(limits, Deadlines::default(), router()).await;
    let mut clients = Vec::new();
    for index in 0..300 {
        let mut stream = server.connect().await;
        clients.push(tokio::spawn(async move {
            if index % 3 == 0 {
                // Silent.
                assert_eq!(read_to_end(&mut stream).await, "");
                return;
            }
            if index % 3 == 1 {
                // Idle after a request.
                stream.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
                assert_eq!(answers(&read_to_end(&mut stream).await), 1);
                return;
            }
            let drip = async {
                while stream.write_all(b"G").await.is_ok() {
                    sleep(Duration::from_millis(100)).await
                }
            };
            timeout(PATIENCE, drip).await.expect("the server closes");
        }));
    }
    server.assert_alive().await;
    for client in clients {
        client.await.unwrap();
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn h02_connections_past_the_cap_wait_their_turn() {
    let limits = Limits { connections: 2, head_time: Duration::from_millis(500), ..Limits::default() };
    let server = Server::with(limits, Deadlines::default(), router()).await;
    let _silent = (server.connect().await, server.connect().await);
    server.assert_alive().await;
}

#[tokio::test]
async fn h06_an_answer_nobody_takes_is_given_up() {
    let limits = Limits { connections: 1, write_stall: Duration::from_millis(500), ..Limits::default() };
    let server = Server::with(limits, Deadlines::default(), router()).await;
    let mut lazy = server.connect().await;
    lazy.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    server.assert_alive().await;
}

#[tokio::test]
async fn h06_an_answer_taken_in_drips_is_given_up_and_one_taken_slowly_is_not() {
    let stall = Duration::from_secs(2);
    let limits = Limits { connections: 1, write_stall: stall, write_rate: 1 << 30, ..Limits::default() };
    let server = Server::with(limits, Deadlines::default(), router()).await;
    // Never nothing for long: only the rate ends it.
    let dripping = tokio::spawn(read_slowly(server.connect().await, 64 << 10));
    server.assert_alive().await;
    assert!(dripping.await.unwrap() < 64 << 20);

    let limits = Limits { write_stall: stall, write_rate: 4 << 10, ..Limits::default() };
    let server = Server::with(limits, Deadlines::default(), router()).await;
    assert!(read_slowly(server.connect().await, 1 << 20).await > 64 << 20);
}

/// Asks for much, and takes so many bytes every fiftieth of a second. Returns how many it got.
async fn read_slowly(mut stream: TcpStream, bytes: usize) -> usize {
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let (mut piece, mut all) = (vec![0; bytes], 0);
    loop {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return all,
            Ok(read) => all += read,
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn h06_one_network_cannot_take_all_connections() {
    let limits = Limits { of_a_network: 5, unbounded: vec![], ..Limits::default() };
    let server = Server::with(limits, Deadlines::default(), router()).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        stream.readable().await.unwrap();
        held.push(stream);
    }
    assert_eq!(read_to_end(&mut server.connect().await).await, "", "a sixth is closed at once");
    let elsewhere = TcpSocket::new_v4().unwrap();
    elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut elsewhere = elsewhere.connect(server.address).await.unwrap();
    elsewhere.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert_eq!(status(&read_to_end(&mut elsewhere).await), 200);
    held.pop();
    let again = async {
        while server.get("/hello").await.is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("a place is given back");
}

#[tokio::test]
async fn h06_tasks_end_with_their_connections() {
    let limits = Limits { head_time: Duration::from_secs(1), ..Limits::default() };
    let server = Server::with(limits, Deadlines::default(), router()).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut clients = Vec::new();
    for n in 0..300 {
        let mut stream = server.connect().await;
        let path = if n % 3 == 0 { "/big" } else { "/hello" };
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        stream.readable().await.unwrap();
        match n % 3 {
            0 => drop(stream), // unread bytes: a reset in the middle of the answer
            1 => stream.shutdown().await.unwrap(),
            _ => clients.push(stream), // idle
        }
    }
    let mut pipelined = server.connect().await;
    pipelined.write_all("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000).as_bytes()).await.unwrap();
    assert!(tasks() > before);
    assert_eq!(answers(&read_to_end(&mut pipelined).await), 1_000);
    let ended = async {
        while tasks() > before {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, ended).await.expect("the tasks end");
}

#[tokio::test]
async fn h04_http_2_is_refused_at_once() {
    let server = Server::start().await;
    let flood = [b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08".repeat(10_000)].concat(); // RST_STREAM
    let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..], &flood].concat();
    let began = Instant::now();
    for _ in 0..20 {
        let (mut reader, mut writer) = server.connect().await.into_split();
        let mut answer = Vec::new();
        // The server closes before it took everything.
        let (_, read) = tokio::join!(writer.write_all(&preface), reader.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 400 ") || (answer.is_empty() && read.is_err()), "{answer:?}");
    }
    // An upgrade is not taken: the answer is that of HTTP/1.1, and what follows is no HTTP/2.
    let upgrade = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                   HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n";
    let answer = server.send([upgrade.as_bytes(), &preface].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && !answer.contains("101"), "{answer}");
    assert_eq!(answers(&answer.replace("HTTP/1.1 400", "")), 1, "{answer}");
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
    server.assert_alive().await;
}

#[tokio::test]
async fn h06_pipelined_resets_and_half_closes() {
    let server = Server::start().await;
    let pipelined = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
    let mut stream = server.connect().await;
    stream.write_all(pipelined.as_bytes()).await.unwrap();
    stream.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert_eq!(answers(&read_to_end(&mut stream).await), 1_001);
    for _ in 0..50 {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        // Unread bytes at close make this a reset.
        let _ = stream.readable().await;
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn a_shutdown_answers_what_is_in_flight() {
    let mut server = Server::start().await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    idle.readable().await.unwrap();
    let mut slow = server.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(300)).await;
    server.stop();
    assert_eq!(status(&read_to_end(&mut idle).await), 200);
    assert!(TcpStream::connect(server.address).await.is_err());
    let answer = read_to_end(&mut slow).await;
    assert_eq!(status(&answer), 200);
    assert!(answer.to_ascii_lowercase().contains("connection: close\r\n"), "{answer}");
    drop(slow);
    drop(idle);
    timeout(PATIENCE, &mut server.task).await.expect("the server ends").unwrap().unwrap();
}

#[tokio::test]
async fn after_the_grace_period_or_when_dropped_handlers_end() {
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let ended = Arc::new(AtomicUsize::new(0));
    for forced in [false, true] {
        let count = Arc::clone(&ended);
        let stuck = get(move || async move {
            let _guard = Guard(count);
            std::future::pending::<Bytes>().await
        });
        let limits = Limits { grace: Duration::from_millis(300), ..Limits::default() };
        let mut server = Server::with(limits, Deadlines::default(), Router::new().route("/guarded", stuck)).await;
        let mut stream = server.connect().await;
        stream.write_all(b"GET /guarded HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        sleep(Duration::from_millis(300)).await;
        if forced {
            server.task.abort()
        } else {
            server.stop()
        }
        assert_eq!(read_to_end(&mut stream).await, "");
        let _ = timeout(PATIENCE, &mut server.task).await.expect("the server ends");
    }
    assert_eq!(ended.load(Ordering::SeqCst), 2);
}

//! What connections may cost, and how they end.

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

//! Paths, queries, heads, and the shape of answers.

use super::*;

#[tokio::test]
async fn errors_have_one_shape_and_every_answer_its_headers() {
    let server = Server::start().await;
    let ok = server.get("/hello").await;
    for header in [
        "x-content-type-options: nosniff",
        "referrer-policy: same-origin",
        "content-security-policy: default-src 'none'; frame-ancestors 'none'",
        "x-frame-options: DENY",
        "x-request-id: 0000",
    ] {
        assert!(ok.contains(header), "{ok}");
    }
    assert!(server.get("/framed").await.contains("content-security-policy: own\r\n"));
    assert_error(&server.get("/nowhere").await, Code::NotFound);
    let not_allowed = server.get("/json").await;
    assert_error(&not_allowed, Code::MethodNotAllowed);
    assert!(not_allowed.contains("allow: POST\r\n"), "{not_allowed}");
    let unauthenticated = server.post("/early", "", "").await;
    assert_error(&unauthenticated, Code::NotAuthenticated);
    assert!(unauthenticated.contains("www-authenticate: Bearer\r\n"));
    assert!(unauthenticated.contains("content-type: application/json\r\n"));
    assert!(server.get("/peer").await.contains("127.0.0.1:"));
    let own_id = server.send("GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: evil\r\nConnection: close\r\n\r\n").await;
    assert!(!own_id.contains("evil") && own_id.contains("x-request-id: 0000"), "{own_id}");
}

#[tokio::test]
async fn a_trailing_slash_is_redirected_to_routes_only() {
    let server = Server::start().await;
    let answer = server.get("/like?feed_id=1&x=%0d%0a").await;
    assert_eq!(status(&answer), 307);
    assert!(answer.contains("location: /like/?feed_id=1&x=%0d%0a\r\n"), "{answer}");
    assert!(server.get("/items/5/").await.contains("location: /items/5\r\n"));
    for path in ["//evil.example/", "/nowhere/", "//like", "/items//"] {
        assert_error(&server.get(path).await, Code::NotFound);
    }
}

#[tokio::test]
async fn w12_a_panic_is_a_500_and_the_connection_goes_on() {
    let server = Server::start().await;
    let two = "GET /panic HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = server.send(two).await;
    assert_eq!(status(&answer), 500);
    assert!(answer.contains(r#"{"detail":"Internal Server Error","code":"internal","request_id":"0000"#), "{answer}");
    assert!(!answer.contains("canary") && answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn i01_i02_i04_paths_and_queries() {
    let server = Server::start().await;
    assert!(server.get("/items/5?limit=1&limit=20&x=1").await.ends_with("5 20"));
    for path in ["/items/0", "/items/abc", "/items/9223372036854775808", "/items/1?limit=0", "/items/1?limit=1e3"] {
        assert_error(&server.get(path).await, Code::InvalidInput);
    }
    for path in ["/items/%ff", "/items/%c0%af", "/items/1?limit=%ff", "/items/1?%ff=1"] {
        assert_error(&server.get(path).await, Code::InvalidUtf8);
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn h03_an_ambiguous_request_is_never_two() {
    let server = Server::start().await;
    let second = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    let chunked = format!("0\r\n\r\n{second}");
    let cases = [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", chunked.as_str()),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", &chunked),
        ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n", &chunked),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", &chunked),
        ("Transfer-Encoding: xchunked\r\n", &chunked),
        ("Transfer-Encoding: chunked, identity\r\n", &chunked),
        ("Transfer-Encoding : chunked\r\n", &chunked),
        ("Transfer-Encoding:\r\n chunked\r\n", &chunked),
        ("Content-Length: +5\r\n", second),
        ("Content-Length: 5,5\r\n", second),
        ("Content-Length: 5, 6\r\n", second),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", second),
        ("Content-Length: -1\r\n", second),
        ("Content-Length: 0x5\r\n", second),
        ("Content-Length: 99999999999999999999\r\n", second),
        ("Content-Length : 5\r\n", second),
        ("Transfer-Encoding: chunked\r\n", "10000000000000000\r\nGET /hello HTTP/1.1\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "+5\r\nGET /hello HTTP/1.1\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "0x5\r\nGET /hello HTTP/1.1\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "-1\r\nGET /hello HTTP/1.1\r\n\r\n"),
    ];
    for (headers, body) in cases {
        for path in ["/json", "/early"] {
            let answer = server.send(format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}")).await;
            assert_eq!(answers(&answer), 1, "{headers:?} {body:?}: {answer}");
            assert!((400..500).contains(&status(&answer)), "{headers:?} {body:?}: {answer}");
            assert!(!answer.ends_with("hello"), "{headers:?} {body:?}: {answer}");
        }
    }
    for head in
        ["GET /hello HTTP/1.1\nHost: x\n\n", "GET /hello HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", "\r\n\r\n\r\n"]
    {
        let mut stream = server.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        assert!(answers(&read_to_end(&mut stream).await) <= 1, "{head:?}");
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn a_stuck_handler_is_answered_for() {
    let deadlines = Deadlines { handler: Duration::from_millis(300), ..Deadlines::default() };
    let server = Server::with(Limits::default(), deadlines, router()).await;
    let answer = server.get("/stuck").await;
    assert_error(&answer, Code::Unavailable);
    assert!(answer.contains("retry-after: 5\r\n"), "{answer}");
}

#[tokio::test]
async fn h07_odd_requests() {
    let server = Server::start().await;
    let headers = |n: usize| format!("GET /hello HTTP/1.1\r\nConnection: close\r\n{}\r\n", "A: b\r\n".repeat(n));
    for (request, expected) in [
        (headers(101), 431),
        (headers(90), 200),
        (format!("GET /hello HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(500_000)), 431),
        ("GET /hello\r\n\r\n".to_owned(), 400),
        // Allowed by HTTP/1.0, and the connection ends with the answer.
        ("GET /hello HTTP/1.0\r\n\r\n".to_owned(), 200),
        ("CONNECT evil:443 HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n".to_owned(), 404),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), 404),
        ("TRACE /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), 405),
        ("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n".to_owned(), 200),
    ] {
        let answer = server.send(&request).await;
        assert_eq!(status(&answer), expected, "{:.80} {answer:.300}", request);
    }
    let long = server.get(&"/b".repeat(35_000)).await;
    // Which of the two depends on whether the URI or the head is found too long first.
    assert!([414, 431].contains(&status(&long)), "{long:.300}");
    let preface = server.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(answers(&preface) <= 1 && !preface.contains("200"), "{preface}");
    server.assert_alive().await;
}

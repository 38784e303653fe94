//! JSON and form bodies: their limits, their deadlines, and what is refused unread.

use super::*;

#[tokio::test]
async fn i04_i05_i06_i07_json_bodies() {
    let server = Server::start().await;
    assert!(server.post("/json", "", r#"{"text":"한","other":1}"#).await.ends_with("한"));
    for body in [
        &b""[..],
        b"{",
        b"{}x",
        b"{\"text\":\"\xff\"}",
        b"{\"text\":\"\\ud800\"}",
        &b"[".repeat(10_000),
        b"null",
        b"[]",
        b"{}",
    ] {
        assert_error(&server.post("/json", "", body).await, Code::InvalidInput);
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-7"] {
        let answer = server.post("/json", &format!("Content-Type: {kind}\r\n"), r#"{"text":"a"}"#).await;
        assert!(status(&answer) == 422 && answer.contains("model_attributes_type"), "{answer}");
    }
    let large = format!("{{\"text\":\"{}\"}}", "a".repeat(1 << 20));
    assert_error(&server.post("/json", "", &large).await, Code::BodyTooLarge);
    assert_error(&server.post("/json", "Content-Encoding: gzip\r\n", "\x1f\x08").await, Code::UnsupportedEncoding);
}

#[tokio::test]
async fn h05_large_bodies_are_refused_without_reading_them() {
    let server = Server::start().await;
    let huge = "Host: x\r\nAuthorization: x\r\nContent-Type: multipart/form-data; boundary=XX\r\nContent-Length: 10737418240\r\n";
    for path in ["/json", "/form"] {
        let answer = server.send(format!("POST {path} HTTP/1.1\r\n{huge}Expect: 100-continue\r\n\r\n")).await;
        // No "100 Continue" came before it.
        assert_error(&answer, Code::BodyTooLarge);
        let answer = server.send(format!("POST {path} HTTP/1.1\r\n{huge}\r\n--XX")).await;
        assert!((400..500).contains(&status(&answer)), "{answer}");
    }
    // Chunks without an end.
    for (path, headers) in
        [("/json", ""), ("/form", "Authorization: x\r\nContent-Type: multipart/form-data; boundary=XX\r\n")]
    {
        let mut stream = server.connect().await;
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Transfer-Encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut chunk = b"10000\r\n".to_vec();
        chunk.extend(vec![b' '; 0x10000]);
        chunk.extend(b"\r\n");
        // 1 MB of JSON, the server's patience of another, and what the kernel buffers: far less than this.
        let mut sent = 0;
        while sent < 200 && stream.write_all(&chunk).await.is_ok() {
            sent += 1;
        }
        assert!(sent < 200, "{path}");
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn an_early_answer_is_seen_by_a_client_that_writes_first() {
    let server = Server::start().await;
    for _ in 0..10 {
        let mut stream = server.connect().await;
        let head = "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![0; 900_000]).await.unwrap();
        assert_error(&read_to_end(&mut stream).await, Code::NotAuthenticated);
    }
    let unread = server.post("/form", "Content-Type: multipart/form-data; boundary=XX\r\n", vec![0; 900_000]).await;
    assert_error(&unread, Code::NotAuthenticated);
}

#[tokio::test]
async fn forms_of_browsers_are_read() {
    let server = Server::start().await;
    let part = |disposition: &str, data: &str| {
        format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{data}\r\n")
    };
    let file = "x".repeat(3_000_000);
    let body = part("name=\"title\"", "제목")
        + &part("name=images; filename=a", &file)
        + &part("name=images; filename=\"\"", "")
        + "--XX--\r\n";
    assert!(server.multipart(&body).await.ends_with("제목 [3000000]"));
    // The connection can be used again.
    let head = format!(
        "POST /form HTTP/1.1\r\nHost: x\r\nAuthorization: x\r\nContent-Type: multipart/form-data; boundary=XX\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = server.send(head + &body + "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!(answers(&answer), 2);
    let urlencoded = server
        .post("/form", "Authorization: x\r\nContent-Type: application/x-www-form-urlencoded\r\n", "title=a+b")
        .await;
    assert!(urlencoded.ends_with("a b []"), "{urlencoded}");
    let other = server.post("/form", "Authorization: x\r\nContent-Type: text/plain\r\n", "title=a").await;
    assert!(other.contains(r#""type":"missing","loc":["body","title"]"#), "{other}");
}

#[tokio::test]
async fn u09_u10_u11_u12_hostile_multipart() {
    let server = Server::start().await;
    let part = |n: usize| "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n".repeat(n);
    let large = "x".repeat(12 << 20);
    let header = "--XX\r\nContent-Disposition: form-data; name=a";
    let cases = [
        (part(33), Code::TooManyFields),
        (part(10_000), Code::TooManyFields),
        (format!("{header}\r\n\r\n{}", &large[..2 << 20]), Code::BodyTooLarge),
        (format!("{header}; filename=a\r\n\r\n{large}"), Code::ImageTooLarge),
        (format!("{header}\r\n\r\n1\r\n--XX--{large}"), Code::BrokenBody),
        (large.clone(), Code::BrokenBody),
        ("\r\n".repeat(1 << 20), Code::BrokenBody),
        (format!("--XX\r\nX: {large}"), Code::BrokenBody),
        (part(1).replace("\r\n", "\n") + "--XX--", Code::BrokenBody),
        (part(1), Code::BrokenBody),
        (part(1) + "--XX", Code::BrokenBody),
    ];
    for (index, (body, code)) in cases.iter().enumerate() {
        // Written beside reading: the answer comes before the body is through.
        let (mut reader, mut writer) = server.connect().await.into_split();
        let head = format!(
            "POST /form HTTP/1.1\r\nHost: x\r\nAuthorization: x\r\nContent-Type: multipart/form-data; boundary=XX\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let bytes = head + body;
        let writing = tokio::spawn(async move {
            let _ = writer.write_all(bytes.as_bytes()).await;
            let _ = writer.shutdown().await;
        });
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, reader.read_to_end(&mut answer)).await.expect("the server closes");
        assert_error(std::str::from_utf8(&answer).unwrap(), *code);
        writing.await.unwrap_or_else(|error| panic!("case {index}: {error}"));
    }
    for boundary in ["", "; boundary=", &format!("; boundary={}", "b".repeat(10_000))] {
        let headers = format!("Authorization: x\r\nContent-Type: multipart/form-data{boundary}\r\n");
        assert_error(&server.post("/form", &headers, "--XX--").await, Code::BrokenBody);
    }
    assert_error(&server.multipart(part(1) + "--XX--").await, Code::InvalidInput);
    server.assert_alive().await;
}

#[tokio::test]
async fn u12_u13_slow_bodies_time_out() {
    let idle = Deadlines { body_idle: Duration::from_millis(300), ..Deadlines::default() };
    let total = Deadlines { body: Duration::from_millis(800), ..Deadlines::default() };
    for deadlines in [idle, total] {
        let server = Server::with(Limits::default(), deadlines, router()).await;
        // Waits for the rest without a word.
        let silent = server.send("POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").await;
        assert_error(&silent, Code::RequestTimeout);
    }
    let server = Server::with(Limits::default(), total, router()).await;
    let (mut reader, mut writer) = server.connect().await.into_split();
    let head = "POST /form HTTP/1.1\r\nHost: x\r\nAuthorization: x\r\nContent-Type: multipart/form-data; boundary=XX\r\nContent-Length: 1000\r\n\r\n";
    writer.write_all(head.as_bytes()).await.unwrap();
    let dripping = tokio::spawn(async move {
        while writer.write_all(b"-").await.is_ok() {
            sleep(Duration::from_millis(50)).await
        }
    });
    let mut answer = String::new();
    let _ = timeout(PATIENCE, reader.read_to_string(&mut answer)).await.expect("the server closes");
    assert_error(&answer, Code::RequestTimeout);
    dripping.abort();
}

#[tokio::test]
async fn a_slow_body_does_not_use_up_the_handlers_time() {
    let deadlines = Deadlines { handler: Duration::from_secs(1), ..Deadlines::default() };
    let server = Server::with(Limits::default(), deadlines, router()).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /json HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 12\r\n\r\n")
        .await
        .unwrap();
    for byte in br#"{"text":"a"}"# {
        sleep(Duration::from_millis(150)).await;
        stream.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(status(&read_to_end(&mut stream).await), 200);
}

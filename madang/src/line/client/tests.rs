use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;

const TOKEN: &str = "canary-token";
const USER: &str = "U4af4980629";
const KEY: &str = "123e4567-e89b-12d3-a456-426614174000";

fn client(address: impl std::fmt::Display) -> Client {
    let url = format!("http://{address}");
    let (base_url, data_url) = (url.clone(), url);
    let (channel_secret, channel_token) = ("canary-secret".to_owned(), TOKEN.to_owned());
    let mut client =
        Client::new(&LineSettings { channel_secret, channel_token, base_url, data_url, bot_user_id: None }).unwrap();
    (client.patience, client.content_patience) = (Duration::from_millis(500), Duration::from_millis(500));
    client
}

/// The head and the body of a request.
async fn request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.unwrap();
        assert!(read > 0, "cut off: {text}");
        request.extend_from_slice(&piece[..read]);
    }
}

/// Answers one request after another, each with these bytes and the end of the connection; gives the requests.
async fn line(answers: Vec<String>) -> (Client, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            requests.push(request(&mut stream).await);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (client, task)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn pushed(answer: String) -> Result<()> {
    let (client, task) = line(vec![answer]).await;
    let pushed = client.push(USER, KEY, &[json!({"type": "text", "text": "canary-text"})]).await;
    task.await.unwrap();
    pushed
}

#[tokio::test]
async fn f33_what_is_sent() {
    let (client, task) = line(vec![answer("200 OK", "{}"); 2]).await;
    let messages = [json!({"type": "text", "text": "안녕 😀"})];
    client.reply("token", &messages).await.unwrap();
    client.push(USER, KEY, &messages).await.unwrap();
    let requests = task.await.unwrap();
    for (request, path) in requests.iter().zip(["reply", "push"]) {
        assert!(request.starts_with(&format!("POST /v2/bot/message/{path} HTTP/1.1\r\n")), "{request}");
        assert!(request.contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{request}");
        assert!(request.contains("content-type: application/json\r\n"), "{request}");
        let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body["messages"], json!(messages));
    }
    assert!(requests[0].contains(r#""replyToken":"token""#) && !requests[0].contains("retry-key"));
    assert!(requests[1].contains(&format!("x-line-retry-key: {KEY}\r\n")) && requests[1].contains(USER));
}

#[tokio::test]
async fn f33_what_an_answer_means() {
    pushed(answer("200 OK", "{}")).await.unwrap();
    pushed(answer("409 Conflict", r#"{"message":"The retry key is already accepted"}"#)).await.unwrap();
    // It was done, whatever becomes of the rest.
    pushed("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{".to_owned()).await.unwrap();
    let monthly = r#"{"message":"You have reached your monthly limit."}"#;
    let echo =
        r#"{"message":"Bearer canary-token","details":[{"message":"canary-text","property":"messages[0].text"}]}"#;
    let huge = answer("400 Bad Request", &format!(r#"{{"message":"{}"}}"#, "x".repeat(MOST_ANSWER)));
    for (answer, expected) in [
        (answer("400 Bad Request", echo), "Refused { status: 400, message: \"\" }"),
        (answer("400 Bad Request", r#"{"message":"no\u0007","details":[{"property":"to"}]}"#), "message: \"no, to\""),
        (answer("403 Forbidden", "{"), "Refused { status: 403"),
        (answer("404 Not Found", "[]"), "Refused { status: 404"),
        (answer("413 Payload Too Large", ""), "Refused { status: 413"),
        (answer("302 Found\r\nlocation: http://127.0.0.1:1/", ""), "Refused { status: 302"),
        (huge, "Refused { status: 400, message: \"\" }"),
        (answer("401 Unauthorized", echo), "Unauthorized"),
        (answer("429 Too Many Requests", r#"{"message":"The API rate limit has been exceeded."}"#), "RateLimited"),
        (answer("429 Too Many Requests", ""), "RateLimited"),
        (answer("429 Too Many Requests", monthly), "MonthlyLimit"),
        (answer("500 Internal Server Error", echo), "Lost"),
        (answer("503 Service Unavailable", ""), "Lost"),
        (answer("408 Request Timeout", ""), "Lost"),
        (String::new(), "Lost"),
        ("HTTP/1.1 200".to_owned(), "Lost"),
        ("canary-token\r\n\r\n".to_owned(), "Lost"),
    ] {
        let failure = pushed(answer.clone()).await.unwrap_err();
        let told = format!("{failure:?} {failure}");
        assert!(told.contains(expected) && !told.contains("canary"), "{answer}: {told}");
    }
}

#[tokio::test]
async fn f33_without_an_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = client(listener.local_addr().unwrap());
    assert!(matches!(silent.push(USER, KEY, &[]).await, Err(Failure::Lost(_))));
    drop(listener);
    assert!(matches!(silent.push(USER, KEY, &[]).await, Err(Failure::NotSent(_))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut encrypted = client("x");
    encrypted.base = format!("https://{}", listener.local_addr().unwrap());
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert!(matches!(encrypted.push(USER, KEY, &[]).await, Err(Failure::NotSent(_))));
    plain.await.unwrap();
}

#[tokio::test]
async fn what_line_tells() {
    let ok = |body: &str| answer("200 OK", body);
    let (client, task) = line(vec![
        ok(r#"{"linkToken":"t"}"#),
        ok(r#"{"displayName":"앤\ud83d","userId":"U1","language":"ko"}"#),
        ok(r#"{"displayName":"ann"}"#),
        answer("404 Not Found", r#"{"message":"Not found"}"#),
        ok(r#"{"type":"limited","value":200}"#),
        ok(r#"{"totalUsage":7}"#),
        ok(r#"{"type":"none"}"#),
        ok(r#"{"totalUsage":7}"#),
        ok(r#"{"userId":"U2","basicId":"@board"}"#),
        ok("[]"),
        ok(&format!(r#"{{"userId":"{}"}}"#, "x".repeat(MOST_ANSWER))),
    ])
    .await;
    assert_eq!(client.link_token(USER).await.unwrap(), "t");
    let profile = client.profile(USER).await.unwrap().unwrap();
    assert_eq!((&*profile.display_name, profile.language.as_deref()), ("앤\u{fffd}", Some("ko")));
    assert_eq!(client.profile(USER).await.unwrap().unwrap().language, None);
    assert_eq!(client.profile(USER).await.unwrap(), None);
    assert_eq!(client.quota().await.unwrap(), Quota { limit: Some(200), used: 7 });
    assert_eq!(client.quota().await.unwrap(), Quota { limit: None, used: 7 });
    let bot = BotInfo { user_id: "U2".to_owned(), basic_id: "@board".to_owned() };
    assert_eq!(client.bot_info().await.unwrap(), bot);
    assert!(matches!(client.bot_info().await, Err(Failure::Lost(_))));
    assert!(matches!(client.bot_info().await, Err(Failure::TooLarge)));
    let requests = task.await.unwrap();
    assert!(requests[0].starts_with(&format!("POST /v2/bot/user/{USER}/linkToken ")));
    assert_eq!(requests[0].matches("content-length: 0\r\n").count(), 1);
    assert!(requests[1].starts_with(&format!("GET /v2/bot/profile/{USER} ")));
}

#[tokio::test]
async fn u17_content_has_a_size_and_a_deadline_and_leads_nowhere_else() {
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n".to_owned();
    let inward = "302 Found\r\nlocation: http://127.0.0.1:1/latest/meta-data";
    for (answer, cap, expected) in [
        (answer("200 OK", "0123456789"), 10, Ok(&b"0123456789"[..])),
        (chunked.clone(), 10, Ok(b"0123456789")),
        (answer("200 OK", "0123456789"), 9, Err("TooLarge")),
        (chunked, 9, Err("TooLarge")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_owned(), 10, Err("TooLarge")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0".to_owned(), 10, Err("Lost")),
        (answer("202 Accepted", ""), 10, Err("Lost")),
        (answer("404 Not Found", ""), 10, Err("Refused { status: 404")),
        (answer("410 Gone", ""), 10, Err("Refused { status: 410")),
        (answer(inward, ""), 10, Err("Refused { status: 302")),
    ] {
        let (client, task) = line(vec![answer.clone()]).await;
        let content = client.content("123", cap).await;
        match expected {
            Ok(bytes) => assert_eq!(content.unwrap(), bytes),
            Err(name) => assert!(format!("{content:?}").contains(name), "{answer}: {content:?}"),
        }
        assert!(task.await.unwrap()[0].starts_with("GET /v2/bot/message/123/content "));
    }

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(listener.local_addr().unwrap());
    let drip = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await.unwrap();
        while stream.write_all(b"0").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(matches!(client.content("123", 1_000_000).await, Err(Failure::Lost(_))));
    tokio::time::timeout(Duration::from_secs(30), drip).await.expect("the connection is given up").unwrap();
}

#[tokio::test]
async fn u17_ids_stay_in_their_place() {
    let client = client("127.0.0.1:1");
    let long = "a".repeat(65);
    for bad in ["", ".", "..", "../x", "a/b", "a?b", "a#b", "a%2fb", "a b", "é", "a\r\nx: y", &long] {
        for refused in [
            client.content(bad, 10).await.map(drop),
            client.profile(bad).await.map(drop),
            client.link_token(bad).await.map(drop),
            client.push(bad, KEY, &[]).await,
            client.push(USER, bad, &[]).await,
        ] {
            assert!(matches!(refused, Err(Failure::Refused { status: 400, .. })), "{bad:?}: {refused:?}");
        }
    }
}

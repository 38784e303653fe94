//! What stands in the log, and what the program says of itself.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    time::timeout,
};

use super::{PATIENCE, folder, madang};
use crate::support::{PASSWORD, wire::Wire};

/// A board whose every word is read: what it announced by name, its log, and the board's address.
struct Told {
    board: tokio::process::Child,
    wire: Wire,
    announced: Vec<String>,
}

impl Told {
    async fn start(data: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Told {
        let mut command = madang(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
        command.args(arguments).envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut board = command.spawn().unwrap();
        let mut lines = BufReader::new(board.stdout.take().unwrap()).lines();
        let mut announced = Vec::new();
        let mut expected = if arguments.contains(&"--metrics-listen") { 7 } else { 6 };
        while expected > 0 {
            announced.push(timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap());
            expected -= 1;
        }
        let address = announced[0].rsplit("http://").next().unwrap().parse().unwrap();
        Told { board, wire: Wire::new(address), announced }
    }

    /// Stops the board. Returns the lines of its log.
    async fn stop(mut self) -> Vec<String> {
        let script = format!("kill -TERM {}", self.board.id().unwrap());
        assert!(tokio::process::Command::new("sh").args(["-c", &script]).status().await.unwrap().success());
        let mut log = String::new();
        let mut pipe = self.board.stderr.take().unwrap();
        timeout(PATIENCE, pipe.read_to_string(&mut log)).await.unwrap().unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn s02_a_request_is_one_line_of_json_whatever_it_holds() {
    let (_folder, data) = folder();
    let told = Told::start(&data, &["--trusted-proxies", "127.0.0.1"], &[]).await;
    // What HTTP allows in a header; what it does not, hyper refuses without a line.
    let evil = "a\u{2028}\u{85}\u{202e}\"}\t{";
    let nickname = format!("{evil}\u{1b}[31m\r\nfake");
    let nickname = json!({"email": "ann@example.com", "password": PASSWORD, "nickname": nickname});
    told.wire.post("/api/auth/signup", nickname).await.unwrap();
    let heads = [
        "GET /%0d%0a%1b%5b31m%22%7d%e2%80%a8 HTTP/1.1".to_owned(),
        "GET /\u{2028}\u{202e} HTTP/1.1".to_owned(),
        "GET /\u{1b}[31m HTTP/1.1".to_owned(),
        format!("GET /nowhere HTTP/1.1\r\nUser-Agent: {evil}"),
        format!("GET /nowhere HTTP/1.1\r\nX-Forwarded-For: {evil}, 203.0.113.7"),
        format!("GET /nowhere HTTP/1.1\r\nX-Forwarded-For: 203.0.113.7, {evil}"),
        format!("GET /nowhere HTTP/1.1\r\nX-Request-Id: {evil}"),
        "G\u{1b}T /nowhere HTTP/1.1".to_owned(),
    ];
    let mut answered = 1;
    for head in heads {
        let request = format!("{head}\r\nHost: board.test\r\nConnection: close\r\n\r\n");
        // What hyper cannot parse it answers by itself, and there is no line.
        let reply = told.wire.send(request.as_bytes()).await.unwrap();
        answered += usize::from(!reply.body.is_empty());
    }
    let lines = told.stop().await;
    let parsed = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}")));
    let requests: Vec<Value> = parsed.filter(|line| line["message"] == "request").collect();
    assert_eq!(requests.len(), answered, "{lines:#?}");
    assert!(answered > 4, "{lines:#?}");
    for line in &lines {
        assert!(!line.contains(|c: char| c.is_control() || "\u{2028}\u{202e}".contains(c)), "{line:?}");
    }
    // The client's address is the proxy's word, or the proxy's own.
    let clients: Vec<&str> = requests.iter().map(|line| line["client"].as_str().unwrap()).collect();
    assert!(clients.contains(&"203.0.113.7") && clients.contains(&"127.0.0.1"), "{clients:?}");
    assert!(clients.iter().all(|client| ["203.0.113.7", "127.0.0.1"].contains(client)), "{clients:?}");
}

#[tokio::test]
async fn f23_that_a_board_drains_is_no_error() {
    let (_folder, data) = folder();
    let told = Told::start(&data, &["--drain-delay", "3"], &[]).await;
    let wire = told.wire.clone();
    let probing = tokio::spawn(async move { while wire.get("/readyz").await.unwrap().status == 200 {} });
    let lines = told.stop().await;
    probing.await.unwrap();
    let refused: Vec<&String> = lines.iter().filter(|line| line.contains("\"status\":503")).collect();
    assert!(!refused.is_empty() && refused[0].contains("/readyz"), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("ERROR")), "{lines:#?}");
}

#[tokio::test]
async fn limits_that_are_off_and_proxies_that_are_forgotten_are_told() {
    let (_folder, data) = folder();
    let quiet = [("MADANG_LOG", "warn")];
    let told = Told::start(&data, &[], &quiet).await;
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n\r\n";
    for _ in 0..3 {
        told.wire.send(request.as_bytes()).await.unwrap().expect(200);
    }
    let lines = told.stop().await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("server.trusted_proxies") && !lines[0].contains("203.0.113.7"), "{lines:#?}");

    let told = Told::start(&data, &[], &[quiet[0], ("MADANG_LIMITS", "off")]).await;
    let lines = told.stop().await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("limits are off") && lines[0].contains("MADANG_LIMITS"), "{lines:#?}");
}

#[tokio::test]
async fn metrics_have_a_listener_of_their_own() {
    let (_folder, data) = folder();
    let told = Told::start(&data, &["--metrics-listen", "127.0.0.1:0"], &[]).await;
    let address = told.announced.iter().find_map(|line| line.strip_prefix("Metrics             http://")).unwrap();
    let prometheus = Wire::new(address.strip_suffix("/metrics").unwrap().parse().unwrap());
    told.wire.get("/api/feed/list").await.unwrap().expect(200);
    told.wire.get("/metrics").await.unwrap().expect(404);
    let figures = prometheus.get("/metrics").await.unwrap();
    assert_eq!(figures.status, 200);
    let text = String::from_utf8(figures.body).unwrap();
    assert!(text.contains("http_requests_total{method=\"GET\",route=\"/api/feed/list\",status=\"200\"} 1\n"), "{text}");
    assert_eq!(prometheus.get("/api/feed/list").await.unwrap().status, 404);
    told.stop().await;
}

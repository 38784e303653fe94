//! The real program, and a bucket that is not there or does not want it.

use std::{fs, process::Stdio};

use tokio::sync::watch;

use super::{Board, folder, madang};
use crate::support::{
    bucket::{Fault, Server, proxy},
    pictures,
};

/// What nobody may read anywhere. The first has nothing secret about it, but is nobody's business either.
const CREDENTIALS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "canary-id"),
    ("AWS_SECRET_ACCESS_KEY", "canary-secret"),
    ("AWS_SESSION_TOKEN", "canary-token"),
];

#[tokio::test]
async fn s01_a_board_without_its_bucket_serves_text_and_tells_no_secret() {
    for (fault, told) in [
        (Fault::Refusing(403), "the bucket answered 403 (AccessDenied)"),
        (Fault::Refusing(500), "the bucket answered 500 (AccessDenied)"),
        (Fault::Broken, "bucket"),
    ] {
        let (_fault, faults) = watch::channel(fault);
        let (address, server) = proxy(Server::at(""), faults).await;
        let (outer, data) = folder();
        let log = outer.path().join("log");
        let media = format!("s3://images/board?endpoint=http://{address}&region=eu-west-1");
        let mut command = madang(&["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap(), "--media", &media]);
        command.envs(CREDENTIALS).env("MADANG_LOG", "trace").stderr(Stdio::from(fs::File::create(&log).unwrap()));
        let mut board = Board::run(command).await;

        board.log_in("ann").await;
        board.create_feed("text alone", &[]).await;
        let refused = board.wire.send(&board.wire.create_feed("picture", &[pictures::png()])).await.unwrap();
        assert_eq!(refused.expect(503)["code"], "unavailable");
        let image = board.wire.get(&format!("/images/{}.png", "0".repeat(32))).await.unwrap();
        assert_eq!(image.expect(503)["code"], "unavailable");
        board.wire.get("/api/feed/list").await.unwrap().expect(200);
        board.wire.get("/readyz").await.unwrap().expect(200);
        board.stop().await;
        server.abort();

        let log = fs::read_to_string(&log).unwrap();
        assert!(log.contains("images cannot be stored for now") && log.contains(told), "{log}");
        for answer in [refused, image] {
            let answer = String::from_utf8(answer.body).unwrap();
            assert!(!answer.contains("canary") && !answer.contains("AccessDenied"), "{answer}");
        }
        for line in log.lines() {
            assert!(!line.contains("canary") && !line.contains("Signature="), "{line}");
        }
    }
}

//! `madang user`, beside a board that serves and without one.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Board, PATIENCE, folder, madang};
use crate::support::PASSWORD;

/// Runs the command on this folder's board: its exit code, and what it said.
async fn user(data: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = madang(&["user", "--data", data.to_str().unwrap()]);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// What a successful command said.
async fn did(data: &Path, arguments: &[&str]) -> String {
    let (code, said) = user(data, arguments).await;
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

async fn listed(data: &Path) -> Vec<Value> {
    did(data, &["list", "--json"]).await.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn login(board: &mut Board, email: &str, password: &str) -> u16 {
    let answer = board.wire.post("/api/auth/login", json!({"email": email, "password": password})).await.unwrap();
    if answer.status == 200 {
        board.wire.token = answer.expect(200)["access_token"].as_str().map(str::to_owned);
    }
    answer.status
}

#[tokio::test]
async fn s04_there_is_no_account_until_somebody_makes_one() {
    let (_folder, data) = folder();
    let (code, said) = user(&data, &["list"]).await;
    assert!(code == 2 && said.contains("there is no board at") && !data.exists(), "{said}");

    let mut board = Board::start(&data).await;
    assert_eq!(listed(&data).await, Vec::<Value>::new());
    for (email, password) in [("admin@example.com", "admin"), ("root@example.com", "root"), ("madang@example.com", "")]
    {
        assert_eq!(login(&mut board, email, password).await, 401);
    }
    // Whoever signs up first is no more than others, whatever he sends; only the command makes him one.
    let body = json!({"email": "ann@example.com", "password": PASSWORD, "nickname": "ann", "is_admin": true});
    board.wire.post("/api/auth/signup", body).await.unwrap().expect(200);
    assert_eq!(listed(&data).await[0]["is_admin"], false);
    assert_eq!(did(&data, &["admin", "Ann@example.com"]).await, "Ann@example.com is an administrator\n");
    assert_eq!(listed(&data).await[0]["is_admin"], true);
    assert!(did(&data, &["list"]).await.ends_with("1  ann@example.com  ann  administrator\n"));
    did(&data, &["admin", "ann@example.com", "--revoke"]).await;
    assert_eq!(listed(&data).await[0]["is_admin"], false);
    board.stop().await;
}

#[tokio::test]
async fn a09_the_operator_acts_on_a_board_that_serves() {
    let (_folder, data) = folder();
    let mut board = Board::start_with(&data, &["--signup", "closed"]).await;
    let refused = json!({"email": "ann@example.com", "password": PASSWORD, "nickname": "ann"});
    let refused = board.wire.post("/api/auth/signup", refused).await.unwrap();
    assert_eq!((refused.status, &refused.expect(403)["code"]), (403, &json!("signup_closed")));

    let said = did(&data, &["add", "ann@example.com", "ann"]).await;
    let first = said.trim().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(login(&mut board, "ann@example.com", &first).await, 200);
    let said = did(&data, &["reset-password", "ann@example.com"]).await;
    let second = said.trim().rsplit(' ').next().unwrap().to_owned();
    board.wire.get("/api/mypage/profile").await.unwrap().expect(401);
    assert_eq!(login(&mut board, "ann@example.com", &first).await, 401);
    assert_eq!(login(&mut board, "ann@example.com", &second).await, 200);
    board.wire.get("/api/mypage/profile").await.unwrap().expect(200);

    did(&data, &["suspend", "ann@example.com"]).await;
    board.wire.get("/api/mypage/profile").await.unwrap().expect(401);
    assert_eq!(login(&mut board, "ann@example.com", &second).await, 401);
    assert!(did(&data, &["list"]).await.contains("suspended since"));
    did(&data, &["suspend", "ann@example.com", "--lift"]).await;
    assert_eq!(login(&mut board, "ann@example.com", &second).await, 200);

    for (arguments, word) in [
        (&["add", "Ann@example.com", "other"][..], "Email Already Registered"),
        (&["add", "other@example.com", "ANN"], "Nickname Already Registered"),
        (&["add", "other", "other"], "is no e-mail address"),
        (&["add", "other@example.com", "o\u{202e}ther"], "cannot be a nickname"),
        (&["admin", "nobody@example.com"], "nobody has the address"),
        (&["list", "--database-url", "nonsense"], "the database's URL begins with"),
        (&["list", "--repair"], "'--repair'"),
        (&[], "reset-password"),
    ] {
        let (code, said) = user(&data, arguments).await;
        assert!(
            code == 2 && said.starts_with("madang: ") && said.lines().count() == 1 && said.contains(word),
            "{arguments:?}: {said}"
        );
    }
    assert_eq!(listed(&data).await.len(), 1);
    board.stop().await;
    assert_eq!(listed(&data).await.len(), 1);
}

#[tokio::test]
async fn many_commands_and_a_busy_board_get_on() {
    let (_folder, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    let names: Vec<String> = (0..6).map(|n| format!("user{n}")).collect();
    let adding = names.iter().map(async |name| did(&data, &["add", &format!("{name}@example.com"), name]).await);
    let writing = async {
        for n in 0..40 {
            board.create_feed(&format!("feed {n}"), &[]).await;
        }
    };
    tokio::join!(futures_util::future::join_all(adding), writing);
    assert_eq!(listed(&data).await.len(), 7);
    let feeds = board.wire.get("/api/feed/list").await.unwrap().expect(200);
    assert_eq!(feeds["pagination"]["total_count"], 40);
    board.stop().await;
}

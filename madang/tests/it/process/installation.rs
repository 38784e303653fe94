//! Which servers a database takes: those that have its key and its images.

use std::{fs, path::Path, process::Stdio};

use tokio::time::timeout;

use super::{Board, PATIENCE, folder, madang};
use crate::support::pictures;

/// What a start that fails says.
async fn refusal(arguments: &[&str]) -> String {
    let mut command = madang(arguments);
    let output = timeout(PATIENCE, command.stdout(Stdio::piped()).stderr(Stdio::piped()).output()).await;
    let output = output.expect("it ends").unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    told
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_another_key_or_other_images_is_refused() {
    let (outer, data) = folder();
    let mut board = Board::start(&data).await;
    board.log_in("ann").await;
    board.create_feed("one", &[pictures::png()]).await;
    board.stop().await;
    let database = format!("sqlite:{}", data.join("madang.db").display());
    let other = outer.path().join("other");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", text(&other), "--database-url", &database];

    let told = refusal(&serve).await;
    assert!(told.contains("sign by another key") && told.contains(text(&other.join("key"))), "{told}");
    fs::copy(data.join("key"), other.join("key")).unwrap();
    let told = refusal(&serve).await;
    assert!(told.contains("the images of this database") && told.contains("--adopt"), "{told}");
    // Nor do commands take all images for lost, or what they find for nobody's.
    for command in [vec!["check", "--repair"], vec!["backup", text(&outer.path().join("backups"))]] {
        let told = refusal(&[&command[..], &["--data", text(&other), "--database-url", &database]].concat()).await;
        assert!(told.contains("the images of this database"), "{told}");
    }
    // A folder that was moved is still the same.
    fs::remove_dir_all(other.join("images")).unwrap();
    fs::rename(data.join("images"), other.join("images")).unwrap();
    Board::start_with(&other, &["--database-url", &database]).await.stop().await;

    // The images were lost, and so was the key: the operator says so, once.
    fs::remove_dir_all(other.join("images")).unwrap();
    fs::remove_file(other.join("key")).unwrap();
    Board::start_with(&other, &["--database-url", &database, "--adopt"]).await.stop().await;
    Board::start_with(&other, &["--database-url", &database]).await.stop().await;
    assert!(
        refusal(&["serve", "--data", text(&data), "--listen", "127.0.0.1:0"]).await.contains("sign by another key")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_changed_takes_the_place_of_the_old_one() {
    let (_folder, data) = folder();
    Board::start(&data).await.stop().await;
    fs::rename(data.join("key"), data.join("key.old")).unwrap();
    Board::start(&data).await.stop().await;
    fs::remove_file(data.join("key.old")).unwrap();
    Board::start(&data).await.stop().await;
}

//! The real program: how it starts, what it keeps, and how it ends. Every child is killed when its test ends.

mod bucket;
mod clients;
mod config;
mod crowds;
mod disk;
mod drain;
mod installation;
mod kill;
mod log;
mod overload;
mod start;
mod stop;
mod user;

use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::support::{PASSWORD, wire::Wire};

/// Far longer than anything here takes, unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program with these arguments and nothing of the environment's, killed when dropped.
pub(crate) fn madang(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_madang"));
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MADANG_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A program that serves.
pub(crate) struct Board {
    pub(crate) child: Child,
    pub(crate) wire: Wire,
}

impl Board {
    /// Starts it on a free port, and waits until it says where it listens.
    pub(crate) async fn start(data: &Path) -> Board {
        Board::start_with(data, &[]).await
    }

    pub(crate) async fn start_with(data: &Path, arguments: &[&str]) -> Board {
        let mut command = madang(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
        command.args(arguments).envs([("MADANG_LOG", "warn,madang::serve=error"), ("MADANG_LIMITS", "off")]);
        Board::run(command).await
    }

    /// Runs a program that serves.
    pub(crate) async fn run(mut command: Command) -> Board {
        command.stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap_or_default();
        let address = first.strip_prefix("Madang listens on   http://").unwrap_or_else(|| panic!("said {first:?}"));
        let wire = Wire::new(address.parse().unwrap());
        Board { child, wire }
    }

    /// Signs somebody up unless he is, and logs him in.
    pub(crate) async fn log_in(&mut self, name: &str) {
        let email = format!("{name}@example.com");
        let signup = json!({"email": email, "password": PASSWORD, "nickname": name});
        self.wire.post("/api/auth/signup", signup).await.unwrap();
        let login = self.wire.post("/api/auth/login", json!({"email": email, "password": PASSWORD})).await.unwrap();
        self.wire.token = login.expect(200)["access_token"].as_str().map(str::to_owned);
    }

    pub(crate) async fn create_feed(&self, title: &str, pictures: &[Vec<u8>]) -> Value {
        self.wire.send(&self.wire.create_feed(title, pictures)).await.unwrap().expect(200)
    }

    pub(crate) async fn signal(&self, name: &str) {
        let script = format!("kill -{name} {}", self.child.id().unwrap());
        assert!(Command::new("sh").args(["-c", &script]).status().await.unwrap().success());
    }

    /// Waits until nobody listens any more.
    async fn refuses_connections(&self) {
        let refusing = async {
            while tokio::net::TcpStream::connect(self.wire.address).await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, refusing).await.unwrap();
    }

    async fn exit(&mut self, patience: Duration) -> ExitStatus {
        timeout(patience, self.child.wait()).await.expect("it ends").unwrap()
    }

    /// As a crash would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// As an operator would.
    pub(crate) async fn stop(mut self) {
        self.signal("TERM").await;
        assert_eq!(self.exit(PATIENCE).await.code(), Some(0));
    }
}

/// The bytes of each of a feed's images.
pub(crate) async fn images(wire: &Wire, feed: &Value) -> io::Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for url in feed["image_urls"].as_array().unwrap() {
        let path = &url.as_str().unwrap()[url.as_str().unwrap().find("/images/").unwrap()..];
        let answer = wire.get(path).await?;
        assert_eq!(answer.status, 200, "{path}");
        all.push(answer.body);
    }
    Ok(all)
}

/// A folder for the test, and in it one that does not exist yet.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    (folder, data)
}

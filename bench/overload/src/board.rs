//! A board on an empty folder, with some people and feeds.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    http::{Answer, Connection},
    work::{create, post},
};

const PEOPLE: usize = 10;
const PASSWORD: &str = "correct horse battery";

pub struct Board {
    child: Child,
    data: PathBuf,
    pub address: SocketAddr,
    pub tokens: Vec<String>,
}

impl Board {
    /// `processor`: the one that it may use, all if none.
    pub async fn start(program: &str, processor: Option<usize>, feeds: usize) -> Board {
        let data = PathBuf::from(format!("{program}-overload-{}", std::process::id()));
        let mut command = match processor {
            Some(processor) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &processor.to_string(), program]);
                command
            }
            None => Command::new(program),
        };
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .env("MADANG_LIMITS", "off")
            .stdout(Stdio::piped())
            .stderr(Stdio::null()) // the log, a line for each request as by default
            .spawn()
            .expect("the board starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its stdout")).read_line(&mut line).expect("a line");
        let address = line.split("http://").nth(1).and_then(|rest| rest.trim().parse().ok()).expect("its address");
        let mut board = Board { child, data, address, tokens: Vec::new() };
        for n in 0..PEOPLE {
            let email = format!("user{n}@example.com");
            let signup = json!({"email": email, "password": PASSWORD, "nickname": format!("user {n}")});
            board.ask(&post("/api/auth/signup", None, "application/json", signup.to_string().as_bytes())).await;
            let login = json!({"email": email, "password": PASSWORD});
            let answer =
                board.ask(&post("/api/auth/login", None, "application/json", login.to_string().as_bytes())).await;
            let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
            board.tokens.push(answer["access_token"].as_str().expect("a token").to_owned());
        }
        for n in 0..feeds {
            board.ask(&create(&board.tokens[n % PEOPLE], n, None)).await;
        }
        board
    }

    async fn ask(&self, request: &[u8]) -> Answer {
        let connection = Connection::new(self.address).await.expect("a connection");
        let (answer, _) = connection.ask(request).await.expect("an answer");
        assert!(answer.status < 300, "{} {}", answer.status, String::from_utf8_lossy(&answer.body));
        answer
    }

    /// Seconds of processor time that it has used.
    pub fn processor_time(&self) -> f64 {
        processor_time(&self.child.id().to_string())
    }

    /// MiB of memory that it used at most.
    pub fn most_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.data);
    }
}

/// Seconds of processor time that a process has used, in the program and in the kernel.
pub fn processor_time(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11);
    let mut ticks = || fields.next().and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
    (ticks() + ticks()) / 100.0
}

/// Seconds that the machine's processors were busy, whoever with, or were kept from it by its host.
pub fn busy_time() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
    // All but idle and waiting for disks.
    let busy = line.enumerate().filter(|(at, _)| ![3, 4].contains(at));
    busy.filter_map(|(_, ticks)| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

//! A database server of a test's own, which it may stop, kill and start again.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use greenlit::Db;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::disk::{Disk, mounting};

/// Far longer than a server takes to be set up, or to recover.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
}

/// A server with one database for a board. Its processes end with it.
pub(crate) struct DatabaseServer {
    kind: Kind,
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
    /// Where a small disk is mounted for it.
    small: Option<PathBuf>,
}

impl DatabaseServer {
    pub(crate) async fn start(kind: Kind) -> DatabaseServer {
        DatabaseServer::start_with(kind, &[]).await
    }

    /// With further options on the server's command line.
    pub(crate) async fn start_with(kind: Kind, options: &[&str]) -> DatabaseServer {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server =
            DatabaseServer { kind, folder: tempfile::tempdir().unwrap(), port, options, process: None, small: None };
        server.launch().await;
        server
    }

    /// On a disk of which the board's tables are soon too large. What it logs to survive a crash is elsewhere.
    pub(crate) async fn start_on_small_disk(kind: Kind) -> (DatabaseServer, Disk) {
        let mut server = DatabaseServer::start(kind).await;
        server.crash();
        let tables = match kind {
            Kind::Postgres => "data/base",
            Kind::MariaDb => "data/board",
        };
        let place = server.folder.path().join(tables);
        server.small = Some(place.clone());
        server.launch().await;
        let disk = Disk::of(server.process.as_ref().unwrap().id(), &place);
        (server, disk)
    }

    /// For `--database-url`.
    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same, by way of another port.
    pub(crate) fn url_at(&self, port: u16) -> String {
        match self.kind {
            Kind::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"),
            Kind::MariaDb => format!("mariadb://board@127.0.0.1:{port}/board?ssl-mode=disabled"),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it after it has ended. Returns when it takes connections.
    pub(crate) async fn launch(&mut self) {
        let name = match self.kind {
            Kind::Postgres => "postgres",
            Kind::MariaDb => "mariadb",
        };
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut words = self.small.as_ref().map(|place| mounting(place, "size=64m")).unwrap_or_default();
        words.push(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/lib/private_server").to_owned());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args([name, self.folder.path().to_str().unwrap(), &self.port.to_string()])
            .args(&self.options);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.process = Some(command.spawn().unwrap());
        let patience = Instant::now() + PATIENCE;
        while Db::open(&self.url()).await.is_err() {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            let log = || fs::read_to_string(self.log()).unwrap();
            assert!(ended.is_none() && Instant::now() < patience, "no server: {ended:?} {}", log());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// With other options on its command line.
    pub(crate) async fn restart_with(&mut self, options: &[&str]) {
        self.crash();
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
        self.launch().await;
    }

    fn log(&self) -> PathBuf {
        self.folder.path().with_extension("log")
    }

    /// Ends it at once, as a crash would: `pg_ctl stop -m immediate`, or `kill -9`.
    pub(crate) fn crash(&mut self) {
        let how = if self.kind == Kind::Postgres { "QUIT" } else { "KILL" };
        let mut process = self.process.take().expect("it runs");
        signal(how, &[process.id()]);
        process.wait().unwrap();
    }

    /// Stops all of its processes where they are: it is there, and says nothing.
    pub(crate) fn pause(&self) {
        signal("STOP", &self.processes());
    }

    pub(crate) fn resume(&self) {
        signal("CONT", &self.processes());
    }

    /// The server, and those that it has started.
    fn processes(&self) -> Vec<u32> {
        let server = self.process.as_ref().expect("it runs").id();
        let started = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let path = entry.ok()?.path();
            // After the name, in brackets: the state, and who started it.
            let stat = fs::read_to_string(path.join("stat")).ok()?;
            let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()?;
            (parent == server).then(|| path.file_name()?.to_str()?.parse().ok())?
        });
        std::iter::once(server).chain(started).collect()
    }
}

#[allow(clippy::print_stderr)] // for whoever wants to know why a test failed
impl Drop for DatabaseServer {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.resume();
            self.crash();
        }
        if std::thread::panicking() {
            eprintln!("the server's log: {}", fs::read_to_string(self.log()).unwrap_or_default());
        }
        let _ = fs::remove_file(self.log());
    }
}

fn signal(name: &str, processes: &[u32]) {
    // Some may have ended meanwhile.
    let _ = Command::new("kill").arg(format!("-{name}")).args(processes.iter().map(u32::to_string)).status().unwrap();
}

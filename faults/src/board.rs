//! The process of a board: how it starts, and how it ends.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    Failure,
    client::Client,
    place::{FOLDERS, Place},
};

/// Far longer than a start or an end takes, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A board that serves, or did. Killed when dropped.
pub struct Board {
    child: Child,
    /// Somebody who speaks to it.
    pub client: Client,
    /// How long it took from its start until it was ready.
    pub started_in: Duration,
}

/// The program that is a board when its first argument is `serve`: this crate's own, which has the failpoints.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// The program at this path.
    pub fn new(path: impl AsRef<Path>) -> Program {
        Program(path.as_ref().to_owned())
    }

    /// Starts a board with this `MADANG_FAULT` and waits until it is ready. `None` if it was killed before, as it may have
    /// been asked to.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&self, place: &Place, fault: Option<&str>) -> Result<Option<Board>, Failure> {
        let began = Instant::now();
        let mut command = Command::new(&self.0);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MADANG_")) {
            command.env_remove(name);
        }
        let log = File::options().create(true).append(true).open(place.log())?;
        command.arg("serve").envs(place.environment()).envs(fault.map(|fault| ("MADANG_FAULT", fault)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = {
            let _alone = FOLDERS.write().await;
            command.spawn()?
        };
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let first = timeout(PATIENCE, lines.next_line()).await??.unwrap_or_default();
        let Some(address) = first.strip_prefix("Madang listens on   http://") else {
            return match timeout(PATIENCE, child.wait()).await?? {
                status if was_killed(status) => Ok(None),
                status => Err(format!("the board ended with {status}: {}", place.logged()).into()),
            };
        };
        let client = Client::new(address.parse()?)?;
        let ready = async {
            while client.get("/readyz").await.is_none_or(|answer| answer.status != 200) {
                if child.try_wait()?.is_some() {
                    return Ok::<_, Failure>(false);
                }
                sleep(Duration::from_millis(5)).await;
            }
            Ok(true)
        };
        let ready = timeout(PATIENCE, ready).await??;
        Ok(ready.then(|| Board { child, client, started_in: began.elapsed() }))
    }
}

fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(Signal::KILL.as_raw())
}

impl Board {
    /// Waits until it is dead; false if it is still alive after this time.
    ///
    /// # Errors
    /// It died of something else than SIGKILL.
    pub async fn dies_within(&mut self, time: Duration) -> Result<bool, Failure> {
        let Ok(status) = timeout(time, self.child.wait()).await else { return Ok(false) };
        match status? {
            status if was_killed(status) => Ok(true),
            status => Err(format!("the board ended by itself, with {status}").into()),
        }
    }

    /// Kills it, as a crash would.
    ///
    /// # Errors
    /// It is not there.
    pub async fn kill(&mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    /// Stops it, as an operator would.
    ///
    /// # Errors
    /// It does not end, or not well.
    pub async fn stop(mut self) -> Result<(), Failure> {
        let id =
            self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).ok_or("the board is not there")?;
        kill_process(id, Signal::INT)?;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("the board ended with {status}").into()) }
    }
}

//! The CPU that the client's process and the server have used.

use std::{env, fs, io, path::Path};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

use super::Failure;

/// The microseconds of CPU that this process, or another one, has used with all of its threads, those that ended included.
pub(super) fn cpu(process: Option<u32>) -> Result<f64, Failure> {
    const TICK: f64 = 10_000.0; // Linux tells times to user space in hundredths of a second
    if let Some(process) = process {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        // "id (name) state ...": the user's time is the 12th behind the name, the kernel's the 13th.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let times = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        return Ok(times.sum::<Result<f64, _>>()? * TICK);
    }
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64)
}

/// The microseconds of CPU that the server's living threads have used: those of its process and of the processes it has
/// started, since PostgreSQL has one for each connection.
pub(super) fn server_cpu() -> Result<f64, Failure> {
    let Ok(server) = env::var("BENCH_SERVER") else { return Ok(0.0) };
    let mut nanos = 0;
    for process in fs::read_dir("/proc")? {
        let process = process?.path();
        let Ok(stat) = fs::read_to_string(process.join("stat")) else { continue }; // no process, or ended
        // "id (name) state parent ..."
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        if process.ends_with(&server) || parent == Some(&server) {
            nanos += nanos_of(&process).unwrap_or(0);
        }
    }
    Ok(nanos as f64 / 1_000.0)
}

fn nanos_of(process: &Path) -> io::Result<u64> {
    let mut nanos = 0;
    for thread in fs::read_dir(process.join("task"))? {
        let schedstat = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanos += schedstat.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(nanos)
}

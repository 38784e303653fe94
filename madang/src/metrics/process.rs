//! What the process costs, as Linux tells it; elsewhere nothing is told. The names are those that Prometheus' own
//! libraries use.

use std::{fs, path::Path};

use prometheus_client::{
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

/// Linux counts a process's time in hundredths of a second on every architecture, whatever the kernel's own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn register(registry: &mut Registry) {
    let read = |file: &str| fs::read_to_string(Path::new("/proc/self").join(file)).ok();
    if let Some(bytes) = read("status").as_deref().and_then(resident_bytes) {
        registry.register("process_resident_memory_bytes", "Memory in use", ConstGauge::new(bytes));
    }
    if let Some(seconds) = read("stat").as_deref().and_then(cpu_seconds) {
        registry.register("process_cpu_seconds", "Processor time used", ConstCounter::new(seconds));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        let open = i64::try_from(open.count()).unwrap_or(i64::MAX);
        registry.register("process_open_fds", "Open files and sockets", ConstGauge::new(open));
    }
}

fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<i64>().ok()?.checked_mul(1_024)
}

/// Time in the program and in the kernel: the 14th and 15th field, of which the second may hold anything in parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = |field: Option<&str>| field?.parse::<f64>().ok();
    Some((ticks(fields.next())? + ticks(fields.next())?) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells_is_read() {
        assert_eq!(resident_bytes("Name:\tmadang\nVmRSS:\t    2048 kB\nThreads:\t4\n"), Some(2_097_152));
        assert_eq!(cpu_seconds("7 (a ) b) S 1 7 7 0 -1 4194304 9 0 0 0 250 50 0 0 20"), Some(3.0));
        assert_eq!((resident_bytes("nonsense"), cpu_seconds("nonsense")), (None, None));
    }
}

//! What the laws watch and vary with, and other processes.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

/// Counts what happens.
#[derive(Clone, Default)]
pub(crate) struct Count(Arc<AtomicU32>);

impl Count {
    /// Adds one and tells how many there were before.
    pub(crate) fn up(&self) -> u32 {
        self.0.fetch_add(1, SeqCst)
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(SeqCst)
    }
}

/// Keeps what happens, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }

    pub(crate) fn get(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Random numbers that can be had again: the seed is printed, and taken from `GREENLIT_SEED` if that is set.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Random {
        use std::hash::{BuildHasher, RandomState};
        let given = std::env::var("GREENLIT_SEED").ok().map(|seed| seed.parse().expect("GREENLIT_SEED is a number"));
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one(()));
        println!("seed: run again with GREENLIT_SEED={seed}");
        Random(seed)
    }

    /// The next number below `end` (splitmix64).
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// A child process and what it says.
pub(crate) struct Process {
    child: Child,
    words: BufReader<std::process::ChildStdout>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Process {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = pipes.spawn().unwrap();
        let words = BufReader::new(child.stdout.take().unwrap());
        Process { child, words }
    }

    /// Tells the child to go on, which waits for a line.
    pub(crate) fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"go on\n").unwrap();
    }

    /// Sends it a signal, such as STOP.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits until the child has said this, and tells the whole line.
    pub(crate) fn hear(&mut self, word: &str) -> String {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert_ne!(self.words.read_line(&mut line).unwrap(), 0, "the child ended before it said {word}");
        }
        line
    }

    /// Kills the child as the kernel would when memory is short; tells what it had said by then.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.words.lines().map(Result::unwrap).collect()
    }

    /// Waits for the child's end.
    pub(crate) fn join(mut self) {
        assert!(self.child.wait().unwrap().success(), "the child failed");
    }
}

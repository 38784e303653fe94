//! A small disk that can be filled: a file system in memory. Only the program sees it which it was mounted for, so that
//! nothing is left of it when that ends.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

/// What is said before a program, so that it finds a disk here with what was in the folder before. Needs root, or a system
/// where everybody may have mounts of his own.
pub(crate) fn mounting(place: &Path, options: &str) -> Vec<String> {
    let script = r#"before=$(mktemp -d) && cp -a "$2/." "$before" && mount -t tmpfs -o "$1" tmpfs "$2" &&
        cp -a "$before/." "$2" && rm -r "$before" && shift 2 && exec "$@""#;
    let mut words: Vec<&str> = unsharing();
    words.extend(["sh", "-c", script, "sh", options, place.to_str().unwrap()]);
    words.into_iter().map(str::to_owned).collect()
}

/// Whether this system lets us mount; tells it if not.
#[allow(clippy::print_stdout)]
pub(crate) fn can_mount() -> bool {
    let words = unsharing();
    let can = Command::new(words[0]).args(&words[1..]).arg("true").status().is_ok_and(|status| status.success());
    if !can {
        println!("SKIPPED: it needs `unshare --mount`, as root or in a user namespace");
    }
    can
}

fn unsharing() -> Vec<&'static str> {
    let user: &[_] = if is_root() { &[] } else { &["--user", "--map-root-user"] };
    [&["unshare", "--mount"], user].concat()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The disk, seen from outside.
pub(crate) struct Disk {
    process: u32,
    pub(crate) folder: PathBuf,
}

impl Disk {
    /// Of the process with this id.
    pub(crate) fn of(process: u32, place: &Path) -> Disk {
        Disk { process, folder: PathBuf::from(format!("/proc/{process}/root{}", place.display())) }
    }

    /// What is said before another program, so that it finds the disk in its place.
    pub(crate) fn entering(&self) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned(), format!("--target={}", self.process), "--mount".to_owned()];
        if !is_root() {
            words.extend(["--user", "--preserve-credentials"].map(str::to_owned));
        }
        words
    }

    /// Leaves no room for a byte.
    pub(crate) fn fill(&self) {
        self.fill_with(u64::MAX);
    }

    /// Writes so many bytes, or as many as there is room for.
    pub(crate) fn fill_with(&self, bytes: u64) {
        let mut file = File::create(self.folder.join("filler")).unwrap();
        for size in [1 << 16, 1 << 10, 1] {
            while file.metadata().unwrap().len() < bytes && file.write_all(&vec![7; size]).is_ok() {}
        }
    }

    /// Leaves no room for a file.
    pub(crate) fn fill_with_files(&self) {
        let folder = self.folder.join("filler");
        fs::create_dir(&folder).unwrap();
        for n in 0_u32.. {
            if File::create(folder.join(n.to_string())).is_err() {
                break;
            }
        }
    }

    /// Makes room again.
    pub(crate) fn clear(&self) {
        let filler = self.folder.join("filler");
        if filler.is_dir() { fs::remove_dir_all(filler) } else { fs::remove_file(filler) }.unwrap();
    }
}

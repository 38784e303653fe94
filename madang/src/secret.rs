//! Random bytes and the key of this installation.

use std::{
    cell::RefCell,
    fmt, fs, io,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// The length of the key in bytes: 256 bits.
const KEY_BYTES: usize = 32;

/// Random bytes from the operating system.
///
/// # Panics
/// If the operating system has none to give, which no supported one does: going on without would be worse.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[allow(clippy::disallowed_methods, clippy::expect_used)] // the one source of randomness; see above
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// The same for what is wanted many thousands of times a second and opens nothing, such as the id of a request: each thread
/// asks the operating system for many at a time, and keeps them in memory until they are wanted.
pub fn random_often() -> [u8; 16] {
    const MANY: usize = 64;
    thread_local! {
        static KEPT: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
    }
    KEPT.with_borrow_mut(|kept| {
        kept.pop().unwrap_or_else(|| {
            let bytes = random::<{ 16 * MANY }>();
            let (many, _) = bytes.as_chunks::<16>();
            kept.extend_from_slice(&many[1..]);
            many[0]
        })
    })
}

/// A random name of 128 bits, as 32 lower-case hexadecimal digits.
pub fn random_name() -> String {
    hex(&random::<16>())
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

/// The key that signs this installation's tokens. It is shown nowhere.
#[derive(Clone)]
pub struct Key([u8; KEY_BYTES]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

impl Key {
    /// The key's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the key from its file, or makes a new one that only the file's owner can read.
    ///
    /// # Errors
    /// A sentence for the operator if the file cannot be read or written, can be read by others, or holds no key.
    pub fn load_or_create(file: &Path) -> Result<Key, String> {
        if let Some(key) = Key::load(file)? {
            return Ok(key);
        }
        let key = Key(random());
        key.write(file).map_err(|e| format!("cannot write the key to {}: {e}", file.display()))?;
        Ok(key)
    }

    /// Reads the key from its file, if there is one.
    ///
    /// # Errors
    /// A sentence for the operator if the file cannot be read, can be read by others, or holds no key.
    pub fn load(file: &Path) -> Result<Option<Key>, String> {
        match fs::read_to_string(file) {
            Ok(text) => {
                let mode = fs::metadata(file).map(|m| m.permissions().mode()).unwrap_or_default();
                if mode & 0o077 != 0 {
                    return Err(format!("{} can be read by others: run chmod 600 on it", file.display()));
                }
                Key::parse(text.trim()).map(Some).ok_or_else(|| {
                    format!("{} holds no key: it must be {} hexadecimal digits", file.display(), 2 * KEY_BYTES)
                })
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(format!("cannot read the key in {}: {e}", file.display())),
        }
    }

    fn parse(text: &str) -> Option<Key> {
        if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
            return None;
        }
        let mut key = [0; KEY_BYTES];
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Key(key))
    }

    /// Under a temporary name first: a crash leaves no half of a key.
    fn write(&self, file: &Path) -> io::Result<()> {
        let temporary = file.with_extension("new");
        let mut options = fs::OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        writeln!(out, "{}", hex(&self.0))?;
        out.sync_all()?;
        fs::rename(&temporary, file)?;
        file.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s03_a_key_is_made_once_kept_private_and_never_weak() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let made = Key::load_or_create(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Key::load_or_create(&file).unwrap().bytes(), made.bytes());
        let other = Key::load_or_create(&folder.path().join("other")).unwrap();
        assert_ne!(other.bytes(), made.bytes());

        for weak in ["", "changeme", "00", &"z".repeat(64), &"é".repeat(32)] {
            fs::write(&file, weak).unwrap();
            assert!(Key::load_or_create(&file).is_err(), "{weak}");
        }
        fs::write(&file, "0".repeat(64)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Key::load_or_create(&file).unwrap_err().contains("chmod 600"));
        assert!(!format!("{made:?}").contains(&hex(made.bytes())));
    }
}

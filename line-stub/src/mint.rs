//! Identifiers as LINE makes them, unique in the process and never guessed by accident.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};

static COUNTER: AtomicU64 = AtomicU64::new(1);

fn next() -> u64 {
    COUNTER.fetch_add(1, Ordering::Relaxed)
}

/// 32 hexadecimal digits that look random and are not.
pub(crate) fn opaque(purpose: &str) -> String {
    let hash = digest(&SHA256, format!("{purpose} {} {}", std::process::id(), next()).as_bytes());
    hash.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// In the form of a UUID.
pub(crate) fn uuid(purpose: &str) -> String {
    let id = opaque(purpose);
    [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-")
}

/// The ID of a message: digits alone.
pub(crate) fn message_id() -> String {
    (460_000_000_000_000_000 + next()).to_string()
}

/// A ULID of this time.
pub(crate) fn ulid(milliseconds: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let random = u128::from(std::process::id()) << 48 | u128::from(next());
    let value = u128::from(milliseconds) << 80 | random;
    (0..26).rev().map(|place| char::from(DIGITS[(value >> (place * 5) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ulid_is_of_its_time_and_never_the_same() {
        let (one, other) = (ulid(1_700_000_000_000), ulid(1_700_000_000_000));
        assert_eq!((one.len(), &one[..10]), (26, "01HF7YAT00"));
        assert_ne!(one, other);
        assert!(ulid(1_700_000_000_001) > one);
    }

    #[test]
    fn a_uuid_is_one() {
        assert!(crate::schema::is_uuid(&uuid("request")));
    }
}

//! Password hashes: Argon2id, off the runtime and never more at once than the machine can bear. The bcrypt hashes of the
//! board before are verified, and replaced when their owners log in.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};

use crate::{
    error::{Error, Result},
    secret,
    turns::Turns,
};

/// Memory in KiB, passes and lanes as OWASP recommends them:
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// A stored hash that asks for more than this was tampered with; it is refused before memory is allocated.
const MOST_MEMORY_KIB: u32 = 65_536;
const MOST_PASSES: u32 = 8;
const MOST_LANES: u32 = 4;
/// Each step doubles the work; the board before used 12.
const MOST_BCRYPT_COST: u32 = 14;
/// How many callers may wait for a turn; further ones are told to come back.
const LINE: usize = 64;
/// Bytes of a new hash.
const HASH_LENGTH: usize = 32;

/// What Argon2 works in. It is kept from one password to the next: asked again and again for an aligned piece of this size,
/// the allocator of glibc takes new memory each time (before its version 2.38), until there is none left.
type Memory = Vec<Block>;

/// Hashes and verifies passwords. Clones share the turns.
#[derive(Clone)]
pub struct Passwords {
    turns: Turns,
    /// No more than there are turns.
    memories: Arc<Mutex<Vec<Memory>>>,
    /// The hash of no password, verified for unknown users so that they take as long as known ones.
    nobody: Arc<str>,
}

impl Default for Passwords {
    /// As many turns as there are processors.
    fn default() -> Self {
        // No password is known to have this hash; to look takes as long as it does for others.
        let nobody = write(&secret::random::<16>(), &secret::random::<HASH_LENGTH>()).unwrap_or_default();
        Passwords { turns: Turns::per_processor(LINE), memories: Arc::default(), nobody: nobody.into() }
    }
}

impl Passwords {
    /// The hash of a password, with a salt of its own, as a PHC string.
    ///
    /// # Errors
    /// 503 if too many wait already.
    pub async fn hash(&self, password: String) -> Result<String> {
        self.in_turn(move |memory| hash_now(&password, memory)).await?
    }

    /// Whether the password is the one that was hashed, by Argon2id or by the bcrypt of the board before. Without a hash the answer is no, after the same time.
    ///
    /// # Errors
    /// 503 if too many wait already.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        self.in_turn(move |memory| verify_now(&password, &hash, memory) && known).await
    }

    /// Runs `work` on a thread that may block, when it is its turn. The turn lasts until the work has ended, even if the
    /// caller is gone.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce(&mut Memory) -> T + Send + 'static) -> Result<T> {
        let turn = self.turns.take().await?;
        let memories = self.memories.clone();
        let work = move || {
            let free = || memories.lock().unwrap_or_else(PoisonError::into_inner);
            let mut memory = free().pop().unwrap_or_default();
            let result = work(&mut memory);
            free().push(memory);
            drop(turn);
            result
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)
    }
}

fn hash_now(password: &str, memory: &mut Memory) -> Result<String> {
    hash_argon2(password, memory).map_err(|e| Error::internal(e.to_string()))
}

fn hash_argon2(password: &str, memory: &mut Memory) -> Result<String, argon2::password_hash::Error> {
    let (salt, mut hash) = (secret::random::<16>(), [0; HASH_LENGTH]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params()?);
    run_argon2(&argon2, password, &salt, memory, &mut hash)?;
    write(&salt, &hash)
}

fn params() -> argon2::Result<Params> {
    Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_LENGTH))
}

/// A hash of ours as a PHC string.
fn write(salt: &[u8], hash: &[u8]) -> Result<String, argon2::password_hash::Error> {
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params()?)?,
        salt: Some(Salt::new(salt)?),
        hash: Some(Output::new(hash)?),
    };
    Ok(phc.to_string())
}

/// What is left in the memory of another password does not matter: all of it is written before it is read.
fn run_argon2(
    argon2: &Argon2<'_>,
    password: &str,
    salt: &[u8],
    memory: &mut Memory,
    hash: &mut [u8],
) -> argon2::Result<()> {
    let blocks = argon2.params().block_count();
    if memory.len() < blocks {
        *memory = vec![Block::default(); blocks];
    }
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, hash, memory)
}

/// Whether a hash that verified is to be replaced by one of today's.
pub(super) fn is_outdated(hash: &str) -> bool {
    hash.starts_with(BCRYPT)
}

/// How bcrypt hashes begin; `$2a$`, `$2b$` and `$2y$` are one algorithm, `$2x$` is a broken one.
const BCRYPT: &str = "$2";

fn verify_now(password: &str, hash: &str, memory: &mut Memory) -> bool {
    if is_outdated(hash) {
        verify_bcrypt(password, hash)
    } else {
        verify_argon2(password, hash, memory).unwrap_or(false)
    }
}

/// As the board before did it: what stands behind the first 72 bytes of a password does not count, and no password holds
/// U+0000.
fn verify_bcrypt(password: &str, hash: &str) -> bool {
    let Ok(parts) = hash.parse::<bcrypt::HashParts>() else { return false };
    let bearable = parts.get_cost() <= MOST_BCRYPT_COST && !hash.starts_with("$2x$") && !password.contains('\0');
    bearable && bcrypt::verify(password, hash).unwrap_or(false)
}

/// `None` for a hash that is none.
fn verify_argon2(password: &str, hash: &str, memory: &mut Memory) -> Option<bool> {
    let phc = PasswordHash::new(hash).ok()?;
    let params = Params::try_from(&phc).ok()?;
    let bearable =
        params.m_cost() <= MOST_MEMORY_KIB && params.t_cost() <= MOST_PASSES && params.p_cost() <= MOST_LANES;
    let (salt, expected) = (phc.salt.filter(|_| bearable)?, phc.hash?);
    let argon2 = Argon2::new(Algorithm::new(phc.algorithm).ok()?, phc.version?.try_into().ok()?, params);
    let mut hash = vec![0; expected.len()];
    run_argon2(&argon2, password, &salt, memory, &mut hash).ok()?;
    Some(Output::new(&hash).ok()? == expected) // in constant time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a13_each_password_verifies_only_itself() {
        let passwords = Passwords::default();
        let seventy_two = "x".repeat(72);
        let texts = [
            format!("{seventy_two}a"),
            format!("{seventy_two}b"),
            " pass word ".to_owned(),
            "pass word".to_owned(),
            "PASS WORD".to_owned(),
            "caf\u{e9}caf\u{e9}".to_owned(),
            "cafe\u{301}cafe\u{301}".to_owned(),
            "🍜🍜🍜🍜🍜🍜🍜🍜".to_owned(),
            "y".repeat(64),
            "y".repeat(128),
        ];
        let mut hashes = Vec::new();
        for text in &texts {
            hashes.push(passwords.hash(text.clone()).await.unwrap());
        }
        for (i, text) in texts.iter().enumerate() {
            // Itself, and the neighbour that is most like it.
            for j in [i, i ^ 1] {
                assert_eq!(passwords.verify(text.clone(), Some(hashes[j].clone())).await.unwrap(), i == j, "{i} {j}");
            }
        }
    }

    #[tokio::test]
    async fn a20_a_tampered_hash_fails_closed() {
        let passwords = Passwords::default();
        let good = passwords.hash("a password".to_owned()).await.unwrap();
        assert!(good.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{good}");
        let greedy = good.replace("m=19456", "m=4194304");
        let long = good.replace("t=2", "t=4000000");
        for hash in ["", "$", "$argon2id$m=4194304", &good[..40], &greedy, &long, &"é".repeat(30), "$2b$12$abc"] {
            assert!(!passwords.verify("a password".to_owned(), Some(hash.to_owned())).await.unwrap(), "{hash}");
        }
        assert!(!passwords.verify("a password".to_owned(), None).await.unwrap());
        let bcrypt = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        let changes = [
            ("$05", "$15"),
            ("$05", "$31"),
            ("$05", "$03"),
            ("$05", "$-5"),
            ("$2a", "$2x"),
            ("$2a", "$2é"),
            ("CC", "é"),
        ];
        for hash in changes
            .map(|(from, to)| bcrypt.replacen(from, to, 1))
            .iter()
            .chain([&bcrypt[..59].to_owned(), &"é".repeat(30)])
        {
            assert!(!passwords.verify("U*U".to_owned(), Some(hash.clone())).await.unwrap(), "{hash}");
        }
    }

    #[tokio::test]
    async fn hashes_of_the_board_before_verify() {
        // Published with OpenBSD's and Openwall's implementations.
        let passwords = Passwords::default();
        let long = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored";
        for (hash, password) in [
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
            ("$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*"),
            ("$2b$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", ""),
            ("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", long),
            ("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", &long[..72]),
        ] {
            let verify = async |password: String| passwords.verify(password, Some(hash.to_owned())).await.unwrap();
            assert!(is_outdated(hash) && verify(password.to_owned()).await, "{hash} {password}");
            assert!(!verify(format!("x{password}")).await, "{hash}");
            assert!(!verify(format!("{password}\0")).await, "{hash}");
        }
    }
}

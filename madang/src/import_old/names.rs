//! Users: addresses, names and passwords that the new board's rules do not allow are replaced, never merged.

use std::collections::HashSet;

use greenlit::Reader;
use serde_json::json;
use unicode_normalization::UnicodeNormalization;

use super::{queries, report::Report, source::OldUser};
use crate::{
    account::{Email, Nickname},
    clock::Timestamp,
    secret,
};

const NICKNAME_LENGTH: usize = 30;

/// A user as the new board has him.
#[derive(Clone)]
pub(super) struct NewUser {
    pub(super) id: i64,
    pub(super) email: Email,
    pub(super) nickname: Nickname,
    pub(super) password_hash: String,
    pub(super) created: Timestamp,
}

/// Makes users of old ones. Whoever comes first has the name; the report has what the others were called. `unusable` is the
/// hash of a password that nobody knows.
///
/// # Errors
/// What the database says.
pub(super) async fn plan(
    r: &mut impl Reader,
    old: &[OldUser],
    unusable: &str,
    now: Timestamp,
    report: &mut Report,
) -> greenlit::Result<Vec<NewUser>> {
    let emails: Vec<Option<Email>> = old.iter().map(|user| Email::parse(user.email.as_deref()?)).collect();
    let nicknames = old.iter().map(|user| allowed(user.nickname.as_deref(), user.id));
    let nicknames = nicknames.collect::<greenlit::Result<Vec<Nickname>>>()?;
    let mut email_keys = queries::emails(r, &emails.iter().flatten().map(Email::key).collect::<Vec<_>>()).await?;
    let mut name_keys = queries::nicknames(r, &nicknames.iter().map(Nickname::key).collect::<Vec<_>>()).await?;
    let mut users = Vec::with_capacity(old.len());
    for ((user, email), nickname) in old.iter().zip(emails).zip(nicknames) {
        let free = email.clone().filter(|email| email_keys.insert(email.key()));
        if free.is_none() {
            let problem = if Email::parse(user.email.as_deref().unwrap_or_default()).is_some() {
                "duplicate_email"
            } else {
                "invalid_email"
            };
            report.note(problem, "users", user.id, json!({"email": user.email}));
        }
        let email = free.map_or_else(|| placeholder(user.id), Ok)?;
        let nickname = unique(r, nickname, &mut name_keys).await?;
        if user.nickname.as_deref() != Some(nickname.as_str()) {
            let lost = json!({"nickname": user.nickname, "now": nickname});
            report.note("changed_nickname", "users", user.id, lost);
        }
        let password_hash = match user.password.as_deref() {
            Some(hash) if is_known(hash) => hash.to_owned(),
            _ => {
                report.note("unknown_password_hash", "users", user.id, json!({}));
                unusable.to_owned()
            }
        };
        if user.created.is_none() {
            report.note("time_missing", "users", user.id, json!({}));
        }
        let created = user.created.map_or(now, Timestamp);
        users.push(NewUser { id: user.id, email, nickname, password_hash, created });
    }
    Ok(users)
}

/// An address that nobody has, and that nobody can sign up with before: the domain is reserved, and a part is random.
fn placeholder(id: i64) -> greenlit::Result<Email> {
    let email = Email::parse(&format!("user-{id}.{}@import.invalid", &secret::random_name()[..12]));
    email.ok_or_else(|| greenlit::Error::Encode(format!("an address for user {id}")))
}

/// The nickname, without what is not allowed in one.
fn allowed(old: Option<&str>, id: i64) -> greenlit::Result<Nickname> {
    let text: String = old.unwrap_or_default().nfc().collect();
    let printable = |c: char| Nickname::parse(&format!("a{c}a")).is_some();
    let kept: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| printable(*c)).collect();
    let words = kept.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let nickname = Nickname::parse(cut(&words, NICKNAME_LENGTH)).or_else(|| Nickname::parse(&format!("user-{id}")));
    nickname.ok_or_else(|| greenlit::Error::Encode(format!("a nickname for user {id}")))
}

fn cut(text: &str, length: usize) -> &str {
    let end = text.char_indices().nth(length).map_or(text.len(), |(at, _)| at);
    text[..end].trim_end()
}

/// The nickname, with a number if somebody has one that looks like it.
async fn unique(r: &mut impl Reader, wanted: Nickname, taken: &mut HashSet<String>) -> greenlit::Result<Nickname> {
    if taken.insert(wanted.key()) {
        return Ok(wanted);
    }
    let mut number = 2_u64;
    loop {
        let suffix = format!("-{number}");
        let candidate = Nickname::parse(&format!("{}{suffix}", cut(wanted.as_str(), NICKNAME_LENGTH - suffix.len())));
        if let Some(candidate) = candidate {
            let key = candidate.key();
            if !taken.contains(&key) && queries::nicknames(r, std::slice::from_ref(&key)).await?.is_empty() {
                taken.insert(key);
                return Ok(candidate);
            }
        }
        number += 1;
    }
}

/// Whether login can verify the hash: bcrypt of a bearable cost, or Argon2.
fn is_known(hash: &str) -> bool {
    let bcrypt = |hash: &str| {
        let mut parts = hash.split('$').skip(1);
        let (version, cost, rest) = (parts.next(), parts.next(), parts.next());
        let cost = cost.filter(|cost| cost.len() == 2).and_then(|cost| cost.parse::<u32>().ok());
        matches!(version, Some("2a" | "2b" | "2y"))
            && cost.is_some_and(|cost| (4..=16).contains(&cost))
            && rest.is_some_and(|rest| {
                rest.len() == 53 && rest.bytes().all(|c| c.is_ascii_alphanumeric() || b"./".contains(&c))
            })
            && parts.next().is_none()
    };
    hash.starts_with("$argon2id$") || bcrypt(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicknames_are_made_fit() {
        let fit = |text: &str| allowed(Some(text), 7).unwrap().as_str().to_owned();
        assert_eq!(fit("kim"), "kim");
        assert_eq!(fit(" kim\tmin \u{202e}su "), "kim min su");
        assert_eq!(fit("cafe\u{301}"), "caf\u{e9}");
        assert_eq!(fit(&"가".repeat(31)), "가".repeat(30));
        assert_eq!(fit("\u{200b}"), "user-7");
        assert_eq!(allowed(None, 8).unwrap().as_str(), "user-8");
    }

    #[test]
    fn hashes_are_told_apart() {
        let tail = "a".repeat(53);
        for known in [format!("$2b$12${tail}"), format!("$2a$04${tail}"), "$argon2id$v=19$m=1,t=1,p=1$a$b".to_owned()] {
            assert!(is_known(&known), "{known}");
        }
        for unknown in [
            String::new(),
            "plain".to_owned(),
            "5f4dcc3b5aa765d61d8327deb882cf99".to_owned(),
            format!("$2b$31${tail}"),
            format!("$2b$12${tail}a"),
            format!("$2b$12${}", "é".repeat(26)),
            "pbkdf2:sha256:1$a$b".to_owned(),
        ] {
            assert!(!is_known(&unknown), "{unknown}");
        }
    }
}

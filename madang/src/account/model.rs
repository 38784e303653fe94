//! The values of an account, valid by construction.

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use crate::{
    clock::Timestamp,
    error::Result,
    http::input::{Document, Fields},
};

/// Characters of an e-mail address: RFC 5321 leaves no room for more in a path.
const EMAIL_LENGTH: usize = 254;
const NICKNAME_LENGTH: usize = 30;
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

/// The most used passwords of eight characters and more, in lower case and sorted.
const COMMON_PASSWORDS: &str = include_str!("common_passwords.txt");

/// Identifies a user. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema, greenlit::Value)]
#[serde(transparent)]
pub struct UserId(pub i64);

/// Identifies a log-in. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, greenlit::Value)]
pub struct LoginId(pub i64);

/// An e-mail address as its owner writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, greenlit::Value)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Takes what a mail server of the open Internet could take: a dot-atom of ASCII, and a domain with a dot. No quoted
    /// names, no addresses of hosts, no letters beyond ASCII (an international domain is written in its `xn--` form), so
    /// that two addresses that look alike are alike.
    pub fn parse(text: &str) -> Option<Email> {
        let (name, domain) = text.split_once('@')?;
        let atom = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&c);
        let name_fits = name.len() <= 64 && name.split('.').all(|part| !part.is_empty() && part.bytes().all(atom));
        let label = |part: &str| {
            let edges = !part.starts_with('-') && !part.ends_with('-');
            (1..=63).contains(&part.len()) && edges && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        };
        let top = domain.rsplit('.').next().unwrap_or_default();
        let domain_fits =
            domain.contains('.') && domain.split('.').all(label) && !top.bytes().all(|c| c.is_ascii_digit());
        (text.len() <= EMAIL_LENGTH && name_fits && domain_fits).then(|| Email(text.to_owned()))
    }

    /// What makes the address unique.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// As its owner writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn name(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }
}

/// The name that others see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, greenlit::Value)]
#[serde(transparent)]
pub struct Nickname(String);

impl Nickname {
    /// Takes text that a line of a page can show without disturbing its neighbours: no controls, no marks of direction, no
    /// invisible characters, no stacks of combining marks, no space at its ends.
    pub fn parse(text: &str) -> Option<Nickname> {
        let printable = |c: char| c == ' ' || (!c.is_control() && !c.is_whitespace() && !is_invisible(c));
        let combining = |c: char| unicode_normalization::char::is_combining_mark(c);
        let stacked = text.chars().collect::<Vec<_>>().windows(3).any(|three| three.iter().all(|c| combining(*c)));
        let starts_bare = text.chars().next().is_some_and(combining);
        let fits = (1..=NICKNAME_LENGTH).contains(&text.chars().count())
            && text.trim() == text
            && text.chars().all(printable)
            && !text.contains("  ")
            && !stacked
            && !starts_bare;
        fits.then(|| Nickname(text.to_owned()))
    }

    /// As its owner writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What makes the nickname unique: the skeleton that it shares with all names that look like it (UTS 39), without
    /// regard to case, width and invisible joiners.
    pub fn key(&self) -> String {
        let folded = |text: &str| text.nfkc().flat_map(char::to_lowercase).collect::<String>();
        let skeleton: String = unicode_security::skeleton(&folded(&self.0)).collect();
        folded(&skeleton)
    }
}

/// Characters that are not seen, or that change how their neighbours are seen.
fn is_invisible(c: char) -> bool {
    // Joiners and variation selectors are part of emoji.
    let emoji = matches!(c, '\u{200d}' | '\u{fe0f}');
    let formats = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    let private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}');
    (formats && !emoji) || private
}

/// A sign-up whose fields are right.
pub(crate) struct NewUser {
    pub(crate) email: Email,
    pub(crate) nickname: Nickname,
    pub(crate) password: String,
}

impl NewUser {
    /// # Errors
    /// 422 with every wrong field.
    pub(crate) fn parse(body: &Document) -> Result<NewUser> {
        let mut fields = body.fields();
        let email = read_email(&mut fields);
        let password = fields.verbatim("password", PASSWORD_LENGTH).unwrap_or_default();
        let nickname_text = fields.text("nickname", 1..=NICKNAME_LENGTH);
        let nickname = read_nickname(&mut fields, &nickname_text);
        if !password.is_empty() && is_guessable(&password, email.as_ref(), &nickname_text) {
            fields.refuse("password", "This password is too easy to guess");
        }
        let (email, nickname) = (email.unwrap_or(Email(String::new())), nickname.unwrap_or(Nickname(String::new())));
        fields.finish(NewUser { email, nickname, password })
    }
}

/// A change of one's own profile whose fields are right.
#[derive(Clone)]
pub(crate) struct ProfileChange {
    pub(crate) nickname: Option<Nickname>,
    /// The new address, with the password that it needs.
    pub(crate) email: Option<(Email, String)>,
}

impl ProfileChange {
    /// # Errors
    /// 422 with every wrong field.
    pub(crate) fn parse(body: &Document) -> Result<ProfileChange> {
        let mut fields = body.fields();
        let nickname = fields.optional_text("nickname", 1..=NICKNAME_LENGTH);
        let nickname = nickname.and_then(|text| read_nickname(&mut fields, &text));
        let email = if fields.has("email") {
            let email = read_email(&mut fields);
            let password = fields.secret("password");
            email.map(|email| (email, password))
        } else {
            None
        };
        fields.finish(ProfileChange { nickname, email })
    }
}

/// A change of one's own password whose fields are right. The old one is compared only, so it may be anything.
pub(crate) struct PasswordChange {
    pub(crate) password: String,
    pub(crate) new_password: String,
}

impl PasswordChange {
    /// # Errors
    /// 422 with every wrong field.
    pub(crate) fn parse(body: &Document, email: &Email, nickname: &Nickname) -> Result<PasswordChange> {
        let mut fields = body.fields();
        let password = fields.secret("password");
        let new_password = fields.verbatim("new_password", PASSWORD_LENGTH).unwrap_or_default();
        if !new_password.is_empty() && is_guessable(&new_password, Some(email), &nickname.0) {
            fields.refuse("new_password", "This password is too easy to guess");
        }
        fields.finish(PasswordChange { password, new_password })
    }
}

fn read_nickname(fields: &mut Fields<'_>, text: &str) -> Option<Nickname> {
    let nickname = Nickname::parse(text);
    if nickname.is_none() && !text.is_empty() {
        fields.refuse("nickname", "Invalid Nickname");
    }
    nickname
}

/// The field `email`. It is not normalised: the Kelvin sign would become a K, and somebody else's address.
fn read_email(fields: &mut Fields<'_>) -> Option<Email> {
    let text = fields.verbatim("email", 0..=usize::MAX)?;
    let email = Email::parse(&text);
    if email.is_none() {
        fields.refuse("email", "Invalid Email Format");
    }
    email
}

/// One of the most used passwords, or one's own name. There are no rules of composition: they make passwords worse.
fn is_guessable(password: &str, email: Option<&Email>, nickname: &str) -> bool {
    let lower = password.to_lowercase();
    let own = [email.map_or("", |e| &e.0), email.map_or("", Email::name), nickname, "madang"];
    let repeated = |name: &str| !name.is_empty() && lower.replace(&name.to_lowercase(), "").is_empty();
    let lines: Vec<&str> = COMMON_PASSWORDS.lines().collect();
    lines.binary_search(&lower.as_str()).is_ok() || own.into_iter().any(repeated)
}

/// A log-in whose fields are right. The password is compared only, so it may be anything.
pub(crate) struct Credentials {
    pub(crate) email: Email,
    pub(crate) password: String,
}

impl Credentials {
    /// # Errors
    /// 422 with every wrong field.
    pub(crate) fn parse(body: &Document) -> Result<Credentials> {
        let mut fields = body.fields();
        let email = read_email(&mut fields);
        let password = fields.secret("password");
        fields.finish(Credentials { email: email.unwrap_or(Email(String::new())), password })
    }
}

/// A user as the board needs it on every request of his.
#[derive(Clone, Debug, greenlit::FromRow)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) email: Email,
    pub(crate) nickname: Nickname,
    pub(crate) token_epoch: i64,
    pub(crate) is_admin: bool,
    pub(crate) create_dt: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a14_addresses() {
        for good in ["a@b.co", "Mike@X.com", "first.last+tag@sub.example.org", "x@xn--bcher-kva.example"] {
            assert!(Email::parse(good).is_some(), "{good}");
        }
        let long = format!("{}@{}.com", "a".repeat(64), "b".repeat(190));
        for bad in [
            "",
            "@",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a@b.",
            "a@.co",
            "a@b..co",
            ".a@b.co",
            "a.@b.co",
            "a..b@c.co",
            "a b@c.co",
            "a@b c.co",
            "a@b.co\r\nBcc: x@y.z",
            "a@b.co,c@d.co",
            "\"a\"@b.co",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@@b.co",
            "mıke@x.com",
            "\u{212a}@x.com",
            "a@x\u{ff0e}com",
            "a＠b.co",
            "a@-b.co",
            "a@b-.co",
            "<a@b.co>",
            "a@b.co\0",
            long.as_str(),
        ] {
            assert!(Email::parse(bad).is_none(), "{bad:?}");
        }
        let key = |text| Email::parse(text).unwrap().key();
        assert_eq!(key("Mike@X.com"), key("mike@x.com"));
        assert_ne!(key("strasse@x.com"), key("strase@x.com"));
    }

    #[test]
    fn i08_nicknames() {
        for good in ["a", "가나다", "Kim Minsu", "たろう", "👩‍👩‍👧", "résumé", "O'Neil-2", "ß"] {
            assert!(Nickname::parse(good).is_some(), "{good}");
        }
        let zalgo = format!("a{}", "\u{301}".repeat(5));
        for bad in [
            "",
            " ",
            " a",
            "a ",
            "a  b",
            "a\u{202e}b",
            "a\u{2066}b",
            "\u{1b}[31m",
            "a\nb",
            "a\tb",
            "a\u{200b}b",
            "\u{e0041}",
            "\u{301}a",
            "\u{3164}",
            "a\u{a0}b",
            "\u{e000}",
            zalgo.as_str(),
            "0123456789012345678901234567890",
        ] {
            assert!(Nickname::parse(bad).is_none(), "{bad:?}");
        }
        let key = |text| Nickname::parse(text).unwrap().key();
        for (a, b) in [("admin", "аdmin"), ("Admin", "admin"), ("ＡＢＣ", "abc"), ("l0l", "lOl"), ("a\u{200d}b", "ab")]
        {
            assert_eq!(key(a), key(b), "{a} {b}");
        }
        for (a, b) in [("resume", "résumé"), ("bob", "bob2"), ("ß", "ss")] {
            assert_ne!(key(a), key(b), "{a} {b}");
        }
    }

    #[test]
    fn a13_guessable_passwords() {
        assert!(COMMON_PASSWORDS.lines().is_sorted());
        let email = Email::parse("minsu.kim@example.com");
        for bad in ["password", "PASSWORD", "12345678", "minsu.kim@example.com", "MINSU.KIM", "닉네임", "madangmadang"]
        {
            assert!(is_guessable(bad, email.as_ref(), "닉네임"), "{bad}");
        }
        for good in ["correct horse", "p4ssw0rd of minsu", "aaaaaaaaab", "🍜🍜🍜🍜🍜🍜🍜🍜"] {
            assert!(!is_guessable(good, email.as_ref(), "닉네임"), "{good}");
        }
    }

    /// MariaDB's index takes 768 characters, and refuses what is longer.
    #[test]
    fn the_key_of_every_nickname_fits_its_index() {
        let alone = |c: char| Nickname::parse(c.encode_utf8(&mut [0; 4])).map(|name| name.key().chars().count());
        // Beyond are ideographs, and nothing that becomes more than one character.
        let longest = ('\0'..='\u{1ffff}').filter_map(alone).max().unwrap();
        assert!(longest * NICKNAME_LENGTH <= 768, "{longest}");
    }
}

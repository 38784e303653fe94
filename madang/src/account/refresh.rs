//! Refresh tokens: which log-in a client goes on with, and how often it has done so.
//!
//! A token is its family's random name, its number in the family, and an HMAC of both by the installation's key. So a
//! successor is the same however often it is computed, and a token that was never made is known for one without a look into
//! the database.

use aws_lc_rs::{digest, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::secret::{self, Key, hex};

const NAME: usize = 32;
const NUMBER: usize = size_of::<i64>();
const TAG: usize = digest::SHA256_OUTPUT_LEN;
/// Keeps these codes apart from any other that the key makes.
const PURPOSE: &[u8] = b"madang:refresh:";

/// Makes and reads refresh tokens.
pub(super) struct RefreshTokens {
    key: hmac::Key,
    old: Option<hmac::Key>,
}

/// A token's place: which family, and the how many-th of it. That it was made here says nothing about whether it is still
/// good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    name: [u8; NAME],
    pub(super) number: i64,
}

impl Place {
    /// The first of a new family.
    pub(super) fn first() -> Place {
        Place { name: secret::random(), number: 0 }
    }

    /// The one after it.
    pub(super) fn successor(self) -> Place {
        Place { number: self.number.saturating_add(1), ..self }
    }

    /// What the database knows the family by.
    pub(super) fn family_hash(&self) -> String {
        hex(digest::digest(&digest::SHA256, &self.name).as_ref())
    }

    fn message(&self) -> Vec<u8> {
        [PURPOSE, &self.name, &self.number.to_be_bytes()].concat()
    }
}

impl RefreshTokens {
    /// Tokens made by this key; those made by the old one are read too, and their successors are made by this one.
    pub(super) fn new(key: &Key, old: Option<&Key>) -> RefreshTokens {
        let hmac = |key: &Key| hmac::Key::new(hmac::HMAC_SHA256, key.bytes());
        RefreshTokens { key: hmac(key), old: old.map(hmac) }
    }

    /// The token of this place, as text.
    pub(super) fn write(&self, place: Place) -> String {
        let tag = hmac::sign(&self.key, &place.message());
        URL_SAFE_NO_PAD.encode([&place.name, place.number.to_be_bytes().as_slice(), tag.as_ref()].concat())
    }

    /// The place of a token, if we made it.
    pub(super) fn read(&self, text: &str) -> Option<Place> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == NAME + NUMBER + TAG)?;
        let (name, rest) = bytes.split_first_chunk::<NAME>()?;
        let (number, tag) = rest.split_first_chunk::<NUMBER>()?;
        let place = Place { name: *name, number: i64::from_be_bytes(*number) };
        let made_by = |key: &hmac::Key| hmac::verify(key, &place.message(), tag).is_ok();
        [Some(&self.key), self.old.as_ref()].into_iter().flatten().any(made_by).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> RefreshTokens {
        RefreshTokens { key: hmac::Key::new(hmac::HMAC_SHA256, &secret::random::<32>()), old: None }
    }

    #[test]
    fn s03_tokens_outlive_a_change_of_the_key() {
        let before = tokens();
        let after = RefreshTokens { old: Some(before.key.clone()), ..tokens() };
        let place = Place::first();
        assert_eq!(after.read(&before.write(place)), Some(place));
        assert_eq!(after.read(&after.write(place.successor())), Some(place.successor()));
        assert_eq!(before.read(&after.write(place)), None);
    }

    #[test]
    fn a06_only_what_we_made_is_read() {
        let tokens = tokens();
        let place = Place::first();
        let text = tokens.write(place);
        assert_eq!(tokens.read(&text), Some(place));
        assert_eq!(tokens.write(place.successor()), tokens.write(Place { number: 1, ..place }));
        // Each bit of it counts.
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for at in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[at / 8] ^= 1 << (at % 8);
            assert_eq!(tokens.read(&URL_SAFE_NO_PAD.encode(other)), None, "bit {at}");
        }
        for other in
            ["", "x", &text[1..], &format!("{text}A"), &format!("{text}="), &format!(" {text}"), &"A".repeat(96)]
        {
            assert_eq!(tokens.read(other), None, "{other}");
        }
        assert_eq!(self::tokens().read(&text), None, "by another installation's key");
    }
}

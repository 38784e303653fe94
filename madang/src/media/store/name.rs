//! How objects are named.

use std::fmt;

use crate::media::picture::Format;
use crate::secret;

/// The length of a key, in hexadecimal digits.
const KEY_LENGTH: usize = 32;
/// What stands between the key and the extension of a thumbnail: its width.
const THUMBNAIL: &str = "640";

/// The name of an object: `{key}.{extension}`, or `{key}.640.{extension}` for its thumbnail. The key is made by us; there
/// is no other way to a name than through the checks here, so that nothing from outside reaches a path or an URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    key: String,
    is_thumbnail: bool,
    format: Format,
}

impl Name {
    /// A name that nobody has had.
    pub fn random(format: Format) -> Self {
        Self { key: secret::random_name(), is_thumbnail: false, format }
    }

    /// The name that `text` is, if it is one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (key, rest) = text.split_once('.')?;
        let (is_thumbnail, extension) = match rest.split_once('.') {
            Some((THUMBNAIL, extension)) => (true, extension),
            Some(_) => return None,
            None => (false, rest),
        };
        let format = Format::from_extension(extension)?;
        let is_key = key.len() == KEY_LENGTH && key.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        is_key.then(|| Self { key: key.to_owned(), is_thumbnail, format })
    }

    /// The name of this picture's thumbnail.
    #[must_use]
    pub fn thumbnail(&self) -> Self {
        Self { is_thumbnail: true, ..self.clone() }
    }

    /// The name of the picture that this names, itself or its thumbnail.
    #[must_use]
    pub fn original(&self) -> Self {
        Self { is_thumbnail: false, ..self.clone() }
    }

    /// What a picture and its thumbnail have in common: 32 lower-case hexadecimal digits.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The format of what it names.
    pub fn format(&self) -> Format {
        self.format
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, extension) = (&self.key, self.format.extension());
        if self.is_thumbnail { write!(f, "{key}.{THUMBNAIL}.{extension}") } else { write!(f, "{key}.{extension}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::picture::THUMBNAIL_WIDTH;

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!(THUMBNAIL, THUMBNAIL_WIDTH.to_string());
        for format in [Format::Jpeg, Format::Png, Format::Webp] {
            let name = Name::random(format);
            assert_ne!(name, name.thumbnail());
            assert_eq!(name, name.thumbnail().original());
            for name in [name.thumbnail(), name.thumbnail().thumbnail(), name] {
                assert_eq!(Name::parse(&name.to_string()), Some(name));
            }
        }
    }

    #[test]
    fn u08_only_names_of_ours_are_names() {
        let key = "0123456789abcdef0123456789abcdef";
        assert!(Name::parse(&format!("{key}.png")).is_some());
        for key in [
            "",
            "..",
            "../../etc/passwd",
            "..\\",
            "/etc/passwd",
            ".htaccess",
            "con",
            &key[1..],
            &format!("{key}0"),
            &key.to_uppercase(),
            &format!("../../{}", &key[6..]),
            &format!("{}\0", &key[1..]),
            "가가가가가가가가가가12",
        ] {
            assert_eq!(Name::parse(&format!("{key}.png")), None, "{key}");
            assert_eq!(Name::parse(&format!("{key}.640.png")), None, "{key}");
        }
        for rest in
            ["", ".", ".PNG", ".gif", ".png.png", ".640", ".640.", ".641.png", ".0640.png", ".640.640.png", ".png/"]
        {
            assert_eq!(Name::parse(&format!("{key}{rest}")), None, "{rest}");
        }
    }
}

//! Cookies: read, set and removed in one way.
//!
//! Where clients reach the board by https, every cookie has the prefix `__Host-` and is `Secure`: no other site of the
//! domain, and nobody on the wire, can set it (RFC 6265bis, section 4.1.3).

use axum::http::{HeaderMap, HeaderValue, header};

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    name: &'static str,
}

/// The log-in of a browser. How long it lasts is the server's to say.
pub const SESSION: Cookie = Cookie { name: "madang_session" };
/// The language that was chosen.
pub const LANGUAGE: Cookie = Cookie { name: "madang_language" };
/// The colours that were chosen.
pub const THEME: Cookie = Cookie { name: "madang_theme" };

/// The longest that browsers keep a cookie, in seconds: 400 days.
const LASTS: u32 = 400 * 24 * 60 * 60;

impl Cookie {
    /// Its value, if the browser sends it once. Two of a name may come from another site of the same domain, so they are
    /// none.
    pub fn read(self, headers: &HeaderMap, secure: bool) -> Option<&str> {
        if !headers.contains_key(header::COOKIE) {
            return None;
        }
        let name = self.full_name(secure);
        let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut values = pairs.flat_map(|pairs| pairs.split(';')).filter_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        });
        values.next().filter(|_| values.next().is_none())
    }

    /// The header that sets it. The value is of our own making: visible ASCII without `;`.
    pub fn set(self, value: &str, secure: bool) -> HeaderValue {
        self.header(value, LASTS, secure)
    }

    /// The header that removes it.
    pub fn remove(self, secure: bool) -> HeaderValue {
        self.header("", 0, secure)
    }

    fn header(self, value: &str, lasts: u32, secure: bool) -> HeaderValue {
        let name = self.full_name(secure);
        let only_tls = if secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Lax{only_tls}");
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    fn full_name(self, secure: bool) -> String {
        let prefix = if secure { "__Host-" } else { "" };
        format!("{prefix}{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cookies: &[&str], secure: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in cookies {
            headers.append(header::COOKIE, value.parse().unwrap());
        }
        SESSION.read(&headers, secure).map(str::to_owned)
    }

    #[test]
    fn a19_a_cookie_that_comes_twice_is_none() {
        assert_eq!(read(&["a=1; madang_session=x; b"], false).as_deref(), Some("x"));
        assert_eq!(read(&["madang_session=x; madang_session=y"], false), None);
        assert_eq!(read(&["madang_session=x", "madang_session=x"], false), None);
        assert_eq!(read(&["__Host-madang_session=x"], false), None);
        assert_eq!(read(&["madang_session=x; __Host-madang_session=y"], true).as_deref(), Some("y"));
        assert_eq!(read(&["xmadang_session=x"], false), None);
    }

    #[test]
    fn w11_cookies_have_their_marks() {
        let marks = "; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax";
        assert_eq!(SESSION.set("v", false), format!("madang_session=v{marks}"));
        assert_eq!(SESSION.set("v", true), format!("__Host-madang_session=v{marks}; Secure"));
        assert_eq!(LANGUAGE.remove(false), "madang_language=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }
}

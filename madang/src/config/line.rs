//! `[line]`: the board's official account at LINE, which people talk to.

use std::fmt;

use clap::Args;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{ConfigError, Sources};

const BASE_URL: &str = "https://api.line.me";
const DATA_URL: &str = "https://api-data.line.me";

/// What the operator says of LINE.
#[derive(Args, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Line {
    /// The channel secret of the board's account at LINE, better said by the variable or the file [default: none, no LINE]
    #[arg(long, env = "MADANG_LINE_CHANNEL_SECRET", value_name = "SECRET", hide_env_values = true)]
    #[serde(rename = "channel_secret")]
    pub line_channel_secret: Option<String>,
    /// The channel access token of that account, better said by the variable or the file [default: none, no LINE]
    #[arg(long, env = "MADANG_LINE_CHANNEL_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    #[serde(rename = "channel_token")]
    pub line_channel_token: Option<String>,
    /// Where LINE's Messaging API is [default: https://api.line.me]
    #[arg(long, env = "MADANG_LINE_BASE_URL", value_name = "URL", hide_env_values = true)]
    #[serde(rename = "base_url")]
    pub line_base_url: Option<String>,
    /// Where LINE keeps the photos that people send [default: https://api-data.line.me]
    #[arg(long, env = "MADANG_LINE_DATA_URL", value_name = "URL", hide_env_values = true)]
    #[serde(rename = "data_url")]
    pub line_data_url: Option<String>,
    /// The user id of that account, if events for others shall be left alone [default: none, all events are taken]
    #[arg(long, env = "MADANG_LINE_BOT_USER_ID", value_name = "ID")]
    #[serde(rename = "bot_user_id")]
    pub line_bot_user_id: Option<String>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line(hidden)")
    }
}

/// The board's account at LINE, checked.
#[derive(Clone)]
pub struct LineSettings {
    /// Signs what LINE sends.
    pub channel_secret: String,
    /// Proves to LINE who we are: visible ASCII.
    pub channel_token: String,
    /// The Messaging API, without a slash at the end.
    pub base_url: String,
    /// What people sent, without a slash at the end.
    pub data_url: String,
    /// The account's own user id, if the operator named it.
    pub bot_user_id: Option<String>,
}

impl fmt::Debug for LineSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineSettings(hidden)")
    }
}

impl Line {
    /// The account, if there is one.
    ///
    /// # Errors
    /// A sentence for the operator, which repeats no value.
    pub(super) fn settings(&self, sources: &Sources) -> Result<Option<LineSettings>, ConfigError> {
        let wrong = |key: &str, what: &str| ConfigError(format!("{} {what}", sources.name(&format!("line.{key}"))));
        let url = |key: &str, said: &Option<String>, default: &str| match said {
            None => Ok(default.to_owned()),
            Some(said) => server(said).ok_or_else(|| wrong(key, "must be like https://api.line.me")),
        };
        let base_url = url("base_url", &self.line_base_url, BASE_URL)?;
        let data_url = url("data_url", &self.line_data_url, DATA_URL)?;
        let bot_user_id = given(&self.line_bot_user_id);
        if bot_user_id.is_some_and(|id| id.len() > 64 || !id.bytes().all(|c| c.is_ascii_alphanumeric())) {
            return Err(wrong("bot_user_id", "must be like U and 32 hexadecimal digits"));
        }
        let (secret, token) = match (given(&self.line_channel_secret), given(&self.line_channel_token)) {
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(wrong("channel_secret", "needs line.channel_token beside it")),
            (None, Some(_)) => return Err(wrong("channel_token", "needs line.channel_secret beside it")),
            (Some(secret), Some(token)) => (secret, token),
        };
        for (key, value) in [("channel_secret", secret), ("channel_token", token)] {
            if !value.bytes().all(|c| c.is_ascii_graphic()) {
                return Err(wrong(key, "must be letters, digits and signs without spaces, as LINE's console shows it"));
            }
        }
        Ok(Some(LineSettings {
            channel_secret: secret.to_owned(),
            channel_token: token.to_owned(),
            base_url,
            data_url,
            bot_user_id: bot_user_id.map(str::to_owned),
        }))
    }

    /// The same with every default filled in.
    pub(super) fn effective(&self) -> Line {
        let or = |said: &Option<String>, default: &str| Some(said.clone().unwrap_or_else(|| default.to_owned()));
        Line {
            line_base_url: or(&self.line_base_url, BASE_URL),
            line_data_url: or(&self.line_data_url, DATA_URL),
            ..self.clone()
        }
    }
}

/// What is empty was not said: compositions hand on variables that nobody set.
fn given(said: &Option<String>) -> Option<&str> {
    said.as_deref().filter(|said| !said.is_empty())
}

/// The address of a server and nothing more, without a slash at the end.
fn server(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let origin = matches!(url.scheme(), "http" | "https") && url.has_host() && url.path() == "/";
    let plain =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (origin && plain).then(|| url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(secret: &str, token: &str) -> Line {
        let some = |text: &str| Some(text.to_owned());
        Line { line_channel_secret: some(secret), line_channel_token: some(token), ..Line::default() }
    }

    fn settings(line: &Line) -> Result<Option<LineSettings>, String> {
        line.settings(&Sources::default()).map_err(|e| e.0)
    }

    #[test]
    fn an_account_is_whole_or_not_there() {
        assert!(settings(&Line::default()).unwrap().is_none());
        assert!(settings(&said("", "")).unwrap().is_none());
        let line = settings(&said("canary", "canary+/=")).unwrap().unwrap();
        assert_eq!((&*line.base_url, &*line.data_url), (BASE_URL, DATA_URL));
        assert!(settings(&said("canary", "")).unwrap_err().contains("line.channel_token"));
        assert!(settings(&said("", "canary")).unwrap_err().contains("line.channel_secret"));
        for (secret, token) in [("canary\n", "canary"), ("canary", "canary canary"), ("canary", "canaryé")] {
            let told = settings(&said(secret, token)).unwrap_err();
            assert!(!told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn s01_a_server_is_an_address_alone_and_nothing_is_repeated() {
        assert_eq!(server("http://127.0.0.1:9000/").as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(server("https://line.example").as_deref(), Some("https://line.example"));
        for bad in [
            "",
            "canary",
            "ftp://canary",
            "https://ann@canary",
            "https://ann:canary@host",
            "https://host/canary",
            "https://host?canary",
            "https://host#canary",
            "javascript:canary",
        ] {
            let line = Line { line_data_url: Some(bad.to_owned()), ..Line::default() };
            let told = settings(&line).unwrap_err();
            assert!(told.contains("line.data_url") && !told.contains("canary"), "{bad}: {told}");
        }
        let line = Line { line_bot_user_id: Some("U/../canary".to_owned()), ..Line::default() };
        assert!(!settings(&line).unwrap_err().contains("canary"));
        let line = said("canary", "canary");
        assert!(!format!("{line:?} {:?}", settings(&line)).contains("canary"));
    }
}

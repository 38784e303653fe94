//! What the operator is shown of the configuration: without secrets.

use std::ffi::OsString;

use clap::{
    Command,
    error::{ContextKind, ErrorKind},
};
use toml::Value;

use super::{ConfigError, Flags, file::table};

/// Stands where a secret would.
const HIDDEN: &str = "***";
/// Settings that are nothing but a secret.
const SECRETS: [(&str, &str); 2] = [("line", "channel_secret"), ("line", "channel_token")];

impl Flags {
    /// The whole configuration with its defaults, as a file of settings that names each one's source.
    ///
    /// # Errors
    /// A sentence for the operator if a path is no text.
    pub fn show(&self) -> Result<String, ConfigError> {
        let mut text = String::new();
        for (section, keys) in table(&self.effective())? {
            let Value::Table(keys) = keys else { continue };
            if keys.is_empty() {
                continue;
            }
            text += &format!("[{section}]\n");
            for (key, value) in keys {
                let origin = self.sources.origin(&format!("{section}.{key}"));
                let secret = SECRETS.contains(&(&section, &key));
                let value = if secret { Value::String(HIDDEN.to_owned()) } else { shown(value) };
                text += &format!("{key} = {value} # {}\n", origin.escape_debug());
            }
            text += "\n";
        }
        Ok(text)
    }
}

fn shown(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_secrets(&text)),
        value => value,
    }
}

/// A URL without its password, and without parameters that may be secrets too. Errs on the side of hiding.
fn without_secrets(url: &str) -> String {
    let is_scheme = |text: &str| text.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-.[".contains(&c));
    let Some((scheme, rest)) = url.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return if url.contains(['=', '@']) { HIDDEN.to_owned() } else { url.to_owned() };
    };
    // A password may hold any sign, so that the last @ is where it ends.
    let (user, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
    let host = match host.split_once('?') {
        None => host.to_owned(),
        Some((host, parameters)) => {
            let parameters: Vec<String> = parameters.split('&').map(parameter_without_secret).collect();
            format!("{host}?{}", parameters.join("&"))
        }
    };
    match user {
        None => format!("{scheme}:{host}"),
        Some(user) => match user.split_once(':') {
            None if !user.contains('?') => format!("{scheme}:{user}@{host}"),
            None => format!("{scheme}:{HIDDEN}@{host}"),
            Some((user, _)) => format!("{scheme}:{user}:{HIDDEN}@{host}"),
        },
    }
}

fn parameter_without_secret(parameter: &str) -> String {
    const PLAIN: [&str; 7] =
        ["application_name", "connect_timeout", "endpoint", "public_url", "region", "sslmode", "user"];
    match parameter.split_once('=') {
        Some((name, _)) if !PLAIN.contains(&name) => format!("{name}={HIDDEN}"),
        Some(_) => parameter.to_owned(),
        None => HIDDEN.to_owned(),
    }
}

/// One line of what is wrong with a command line or with a variable that stands in for a flag of it.
pub fn explain(error: &clap::Error, command: &Command, arguments: &[OsString]) -> String {
    // Its first paragraph says what is wrong, and what would be right; the others repeat the usage.
    let text = error.to_string();
    let line: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let line = line.join(" ");
    let line = line.trim_start_matches("error: ");
    let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let flag = argument.split_whitespace().next().unwrap_or_default();
    let is_flag = |given: &OsString| given.to_str().is_some_and(|given| given.split('=').next() == Some(flag));
    let invalid = matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue);
    if !invalid || arguments.iter().any(is_flag) {
        return line.to_owned();
    }
    let variable =
        command.get_arguments().find(|arg| arg.get_long() == flag.strip_prefix("--")).and_then(clap::Arg::get_env);
    variable.map_or_else(|| line.to_owned(), |name| format!("{}: {line}", name.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s01_a_shown_url_has_no_secret() {
        for (url, shown) in [
            ("postgres://ann@db/x", "postgres://ann@db/x"),
            ("postgres://ann:canary@db:5432/x", "postgres://ann:***@db:5432/x"),
            ("postgres://ann:ca@na:r/y?@db/x", "postgres://ann:***@db/x"),
            ("postgres://db/x?user=ann&password=canary", "postgres://db/x?user=ann&password=***"),
            ("postgres://db/x?canary", "postgres://db/x?***"),
            ("postgres://db/x?user=ann&password=can@ary", "postgres:***@ary"),
            ("s3://bucket/prefix?secret_access_key=canary", "s3://bucket/prefix?secret_access_key=***"),
            ("s3://bucket/?region=eu&endpoint=http://db:1", "s3://bucket/?region=eu&endpoint=http://db:1"),
            ("sqlite:/var/lib/madang/madang.db", "sqlite:/var/lib/madang/madang.db"),
            ("./madang-data", "./madang-data"),
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("[::1]:8000", "[::1]:8000"),
            ("host=db password=canary", "***"),
            ("host=db:1 password=canary", "***"),
            ("ann/canary@db", "***"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}

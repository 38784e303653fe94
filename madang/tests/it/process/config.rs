//! The configuration: a file, the environment and flags; what is wrong with it, and what of it is shown.

use std::{fs, path::Path, process::Stdio};

use clap::{Args, Command};
use madang::config::Flags;
use tokio::time::timeout;

use super::{PATIENCE, madang};

/// What the program said, with these variables set.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let mut command = madang(arguments);
    command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// What `madang config` shows of one setting.
async fn shown(key: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let said = run(&[&["config"], arguments].concat(), variables).await;
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    let (section, key) = key.split_once('.').unwrap();
    let lines = said.out.split_once(&format!("[{section}]\n")).unwrap().1.lines();
    let line = lines.take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    line.unwrap_or_else(|| panic!("no {key} in {}", said.out)).to_owned()
}

fn write(folder: &Path, text: &str) -> String {
    let file = folder.join("settings.toml");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_flag_wins_over_a_variable_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[server]\nlisten = '10.0.0.1:1'\n[metrics]\nlisten = '10.0.0.1:2'\n[account]\nsignup = 'closed'\n";
    let file = write(folder.path(), text);
    let config = ["--config", &file];
    assert_eq!(shown("server.listen", &[], &[]).await, "\"127.0.0.1:8000\" # default");
    assert_eq!(shown("server.listen", &config, &[]).await, format!("\"10.0.0.1:1\" # {file}"));
    assert_eq!(shown("metrics.listen", &config, &[]).await, format!("\"10.0.0.1:2\" # {file}"));
    assert_eq!(shown("account.signup", &[], &[("MADANG_CONFIG", &file)]).await, format!("\"closed\" # {file}"));
    let variable = [("MADANG_LISTEN", "10.0.0.1:3")];
    assert_eq!(shown("server.listen", &config, &variable).await, "\"10.0.0.1:3\" # MADANG_LISTEN");
    let flags = ["--config", &file, "--listen", "10.0.0.1:4"];
    assert_eq!(shown("server.listen", &flags, &variable).await, "\"10.0.0.1:4\" # --listen");
    assert_eq!(shown("metrics.listen", &flags, &variable).await, format!("\"10.0.0.1:2\" # {file}"));
    let origins = [("MADANG_CORS_ORIGINS", "https://a.example,https://b.example:8443")];
    let expected = "[\"https://a.example\", \"https://b.example:8443\"] # MADANG_CORS_ORIGINS";
    assert_eq!(shown("cors.origins", &config, &origins).await, expected);
}

#[tokio::test]
async fn the_file_in_the_data_folder_is_found_and_what_is_shown_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().to_str().unwrap(), folder.path().join("madang.toml"));
    fs::write(&file, "[limits]\nuser = { burst = 7, per_minute = 5 }\n").unwrap();
    let expected = format!("{{ burst = 7, per_minute = 5 }} # {}", file.display());
    assert_eq!(shown("limits.user", &["--data", data], &[]).await, expected);

    let all = run(&["config", "--data", data], &[]).await.out;
    let again = write(folder.path(), &all);
    let strip = |text: &str| text.lines().map(|line| line.split(" # ").next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(strip(&run(&["config", "--config", &again], &[]).await.out), strip(&all));

    fs::write(&file, "[server]\ndata = '/elsewhere'\n").unwrap();
    let said = run(&["config", "--data", data], &[]).await;
    assert!(said.code == Some(2) && said.err.contains("server.data"), "{}", said.err);
}

/// The program must say what is wrong in one line that has all these words.
fn assert_refused(said: &Said, words: &[&str]) {
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.out.is_empty(), "{}", said.out);
    assert!(said.err.starts_with("madang: ") && said.err.lines().count() == 1, "{}", said.err);
    for word in words {
        assert!(said.err.contains(word), "no {word} in {}", said.err);
    }
    assert!(!said.err.contains("canary"), "{}", said.err);
}

#[tokio::test]
async fn a_wrong_file_is_refused_with_the_line_and_the_key() {
    let folder = tempfile::tempdir().unwrap();
    for (text, words) in [
        ("[server]\n\nlisen = '10.0.0.1:1'\n", &["line 3", "`lisen`", "`listen`"][..]),
        ("[servr]\nlisten = '10.0.0.1:1'\n", &["line 1", "`servr`"]),
        ("listen = '10.0.0.1:1'\n", &["line 1", "`listen`"]),
        ("[server]\nlisten = 'canary'\n", &["line 2", "server.listen", "address"]),
        ("[server]\nlisten = 8000\n", &["line 2", "server.listen"]),
        ("[server\n", &["line 1"]),
        ("[server]\ntrusted_proxies = ['10.0.0.0/33']\n", &["line 2", "server.trusted_proxies", "10.0.0.0/8"]),
        ("[server]\npublic_url = 'board.example.org'\n", &["line 2", "server.public_url", "https://"]),
        ("[database]\nurl = ['postgres://ann:canary@db/x']\n", &["line 2", "database.url"]),
        ("[database]\nurl = 'postgres://ann:canary@db/x\n", &["line 2", "database.url"]),
        ("[database]\nurl = postgres://ann:canary@db/x?y=z\n", &["line 2", "database.url"]),
        ("[database]\nurl 'postgres://ann:canary@db/x?y=z'\n", &["line 2"]),
        ("[account]\nsignup = 'maybe'\n", &["line 2", "account.signup", "`open`", "`closed`"]),
        ("[privacy]\npublic_emails = 'canary'\n", &["line 2", "privacy.public_emails"]),
        ("[cors]\norigins = ['https://a.example', '*']\n", &["line 2", "cors.origins"]),
        ("[limits]\nsignup = { burst = 0, per_minute = 1 }\n", &["line 2", "limits.signup"]),
        ("[limits]\nsignup = { burst = 1, per_hour = 1 }\n", &["line 2", "limits.signup", "`per_hour`"]),
        ("[limits]\nmode = false\n", &["line 2", "limits.mode"]),
        ("[media]\nurl = 'nonsense'\n", &["media.url"]),
        ("[line]\nchannel_secret = 'canary'\n", &["line.channel_secret", "line.channel_token"]),
        ("[line]\nchannel_token = 'canary'\n", &["line.channel_token", "line.channel_secret"]),
        ("[line]\nchannel_secret = canary\n", &["line 2", "line.channel_secret"]),
        ("[line]\nbase_url = 'https://ann:canary@line.example'\n", &["line.base_url", "https://"]),
    ] {
        let file = write(folder.path(), text);
        for command in ["config", "serve"] {
            let arguments = [command, "--config", &file];
            // A server that starts after all shall at least stop at once, where nobody listens.
            assert_refused(&run(&arguments, &[("MADANG_DATA", "/dev/null/x")]).await, &[&[&*file], words].concat());
        }
    }
    assert_refused(&run(&["--config", "/nonexistent.toml"], &[]).await, &["/nonexistent.toml"]);
}

#[tokio::test]
async fn a_wrong_variable_is_refused_by_its_own_name() {
    for (name, value, word) in [
        ("MADANG_LISTEN", "8000", "address"),
        ("MADANG_METRICS_LISTEN", "9100", "address"),
        ("MADANG_PUBLIC_URL", "board.example.org", "https://"),
        ("MADANG_TRUSTED_PROXIES", "10.0.0.0/8,proxy", "'proxy'"),
        ("MADANG_SIGNUP", "maybe", "'maybe'"),
        ("MADANG_PUBLIC_EMAILS", "perhaps", "'perhaps'"),
        ("MADANG_CORS_ORIGINS", "https://a.example,null", "'null'"),
        ("MADANG_LIMITS", "no", "'no'"),
        ("MADANG_MEDIA", "nonsense", "file:"),
        ("MADANG_LINE_CHANNEL_SECRET", "canary", "line.channel_token"),
        ("MADANG_LINE_CHANNEL_TOKEN", "canary", "line.channel_secret"),
        ("MADANG_LINE_BASE_URL", "ftp://line.example", "https://"),
        ("MADANG_LINE_DATA_URL", "https://line.example/canary", "https://"),
        ("MADANG_LINE_BOT_USER_ID", "U/canary", "hexadecimal"),
        ("MADANG_CONFIG", "/nonexistent.toml", "/nonexistent.toml"),
    ] {
        let said = run(&["config"], &[(name, value)]).await;
        let known = if name == "MADANG_CONFIG" { "cannot read" } else { name };
        assert_refused(&said, &[known, word]);
    }
}

#[tokio::test]
async fn s01_no_secret_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = [
        ("MADANG_DATABASE_URL", "postgres://ann:canary@127.0.0.1:1/x?sslpassword=canary"),
        ("MADANG_MEDIA", "file:/tmp/images?key=canary"),
        ("MADANG_LINE_CHANNEL_SECRET", "canary"),
        ("MADANG_LINE_CHANNEL_TOKEN", "canary"),
    ];
    for arguments in [&["config"][..], &["--help"], &["serve", "--help"], &["config", "--help"], &["--version"]] {
        let said = run(arguments, &secrets).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(!said.out.contains("canary") && !said.err.contains("canary"), "{}{}", said.out, said.err);
    }
    let file = write(folder.path(), "[database]\nurl = 'postgres://ann:can@ary:canary@db/x'\n");
    let url = shown("database.url", &["--config", &file], &[]).await;
    assert!(url.starts_with("\"postgres://ann:***@db/x\""), "{url}");
    assert_eq!(shown("line.channel_token", &[], &secrets).await, "\"***\" # MADANG_LINE_CHANNEL_TOKEN");

    let data = folder.path().join("data");
    let quiet = [("MADANG_DATA", data.to_str().unwrap()), ("MADANG_LISTEN", "127.0.0.1:0")];
    for url in [
        "postgres://ann:canary@127.0.0.1:1/x",
        "postgres://ann:canary@127.0.0.1:99999/x",
        "postgres:ann:canary@127.0.0.1:1/x",
        "canary",
        "canary://ann:canary@127.0.0.1/x",
        "host=127.0.0.1 password=canary",
        "sqlite",
        "postgres",
    ] {
        let said = run(&["serve"], &[&quiet[..], &[("MADANG_DATABASE_URL", url)]].concat()).await;
        assert_refused(&said, &["MADANG_DATABASE_URL"]);
    }
}

#[test]
fn every_setting_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let page = fs::read_to_string(page).unwrap();
    let command = Flags::augment_args(Command::new("madang"));
    let mut count = 0;
    for argument in command.get_arguments() {
        let flag = format!("`--{}`", argument.get_long().unwrap());
        // What is for one start has none.
        let variable = argument.get_env().map(|name| format!("`{}`", name.to_str().unwrap())).unwrap_or_default();
        let row = page.lines().find(|line| line.starts_with('|') && line.contains(&flag));
        let row = row.unwrap_or_else(|| panic!("{flag} is not documented"));
        assert!(row.contains(&variable), "{row}");
        count += 1;
    }
    assert!(count > 10);
}

//! What the tools of the database servers say of their tables: (f). SQLite is asked by the board's own check.

use std::{fs, path::PathBuf};

use greenlit::Dialect;
use tokio::process::Command;

use crate::{Breach, Failure, place::Inside};

/// Asks the tool of the database, if it is installed.
pub(super) async fn ask(inside: &Inside) -> Result<Option<Breach>, Failure> {
    let command = match inside.app.db.dialect() {
        Dialect::Postgres => pg_amcheck(&inside.database_url),
        Dialect::MariaDb => mariadb_check(&inside.database_url)?,
        _ => None,
    };
    let Some(mut command) = command else { return Ok(None) };
    let output = command.output().await?;
    let told = String::from_utf8_lossy(&output.stdout);
    // mariadb-check ends well whatever it finds: it tells of each table, of good ones that they are OK.
    let well = output.status.success() && told.lines().all(|line| line.ends_with("OK"));
    Ok((!well).then(|| Breach::new('f', format!("{told}{}", String::from_utf8_lossy(&output.stderr)))))
}

/// Heaps row by row, and B-trees with every row that they must have.
fn pg_amcheck(database_url: &str) -> Option<Command> {
    // Where Debian keeps what belongs to one version of the server.
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let programs = versions.map(|version| version.path().join("bin/pg_amcheck"));
    let mut command = Command::new(programs.filter(|program| program.exists()).max()?);
    command.args(["--install-missing", "--heapallindexed", database_url]);
    Some(command)
}

/// CHECK TABLE for each table, which no session of greenlit takes.
fn mariadb_check(database_url: &str) -> Result<Option<Command>, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(&path).map(|folder| folder.join("mariadb-check"));
    let Some(program) = programs.find(|program: &PathBuf| program.exists()) else { return Ok(None) };
    let url = reqwest::Url::parse(database_url)?;
    let mut command = Command::new(program);
    command.args(["--no-defaults", "--protocol=tcp", "--skip-ssl", "--check"]);
    command.args(["--host", url.host_str().unwrap_or_default(), "--user", url.username()]);
    command.args(["--port", &url.port().unwrap_or(3306).to_string(), url.path().trim_start_matches('/')]);
    if let Some(password) = url.password() {
        command.env("MYSQL_PWD", password);
    }
    Ok(Some(command))
}

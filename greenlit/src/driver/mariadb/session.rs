//! What every connection to MariaDB has to be, and how it is made sure of.

use std::time::Duration;

use mysql_async::{DriverError, Opts, OptsBuilder, SslOpts, prelude::Queryable};

use super::{
    conn::Conn,
    tls::{self, Mode},
};
use crate::{Error, Result};

/// How many prepared statements a connection remembers. A server has 16,382 of them by default.
pub(super) const STATEMENTS: usize = 256;
/// How long a connection may be silent before the system asks whether the server's is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long the server's offer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The state of every session, said once when it begins. None of it may depend on the server's configuration.
///
/// Statements outside a transaction are reads; the server shall refuse any other. Transactions that write say so. Text is
/// compared byte by byte, trailing spaces included. Text that does not fit is an error and never cut off; quotes are those
/// of the standard, so that a `?` is found in the same places on every database. Errors are in English, since only their
/// words name a violated constraint. A connection may be idle for eight hours.
pub(super) const SET_UP: &str = "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin; \
    SET SESSION sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,\
        NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION,ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES', \
        autocommit = 1, completion_type = 0, time_zone = '+00:00', default_storage_engine = InnoDB, \
        foreign_key_checks = 1, unique_checks = 1, check_constraint_checks = 1, sql_auto_is_null = 0, \
        lc_messages = 'en_US', wait_timeout = 28800; \
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY";

/// What is known of a server.
pub(super) struct Server {
    /// How many bytes it takes at once.
    pub(super) largest: usize,
    /// Whether it is a node of a Galera cluster.
    pub(super) galera: bool,
}

/// Looks at a server when a database on it is opened.
pub(super) async fn look(conn: &mut Conn) -> Result<Server> {
    for check in CHECKS {
        if let Some(refusal) = (check.refusal)(&conn.ask(check.sql, Vec::new()).await?.decode()?) {
            return Err(Error::Config(refusal));
        }
    }
    let largest = conn.ask("select @@max_allowed_packet", Vec::new()).await?.decode::<(i64,)>()?;
    // A server that was built without Galera has no such variable.
    let galera = conn.ask("show variables like 'wsrep_on'", Vec::new()).await?.decode::<(String, String)>()?;
    Ok(Server {
        largest: largest.first().map_or(usize::MAX, |(bytes,)| *bytes as usize),
        galera: galera.first().is_some_and(|(_, on)| on == "ON"),
    })
}

/// Something that must be so, and what the operator is told if it is not.
struct Check {
    sql: &'static str,
    refusal: fn(&[(String, String)]) -> Option<String>,
}

const CHECKS: &[Check] = &[
    Check {
        // A proxy or an init_connect of the server's may have had another opinion.
        sql: "select @@sql_mode, concat_ws(' ', @@character_set_client, @@character_set_connection, \
              @@character_set_results, @@collation_connection)",
        refusal: |rows| {
            let (mode, text) = rows.first()?;
            if !mode.contains("STRICT_TRANS_TABLES") {
                return Some(format!("the database cuts off what does not fit: its sql_mode stays {mode:?}"));
            }
            (text != "utf8mb4 utf8mb4 utf8mb4 utf8mb4_nopad_bin")
                .then(|| format!("the database does not take utf8mb4: its character sets stay {text}"))
        },
    },
    Check {
        sql: "select coalesce(database(), ''), @@character_set_database",
        refusal: |rows| {
            let (name, set) = rows.first()?;
            if name.is_empty() {
                return Some("the database's URL names no database: mariadb://user@host/NAME".to_owned());
            }
            (set != "utf8mb4").then(|| {
                format!(
                    "the database {name} is made for {set}, which cannot hold every text. Say: \
                     alter database `{name}` character set utf8mb4 collate utf8mb4_nopad_bin"
                )
            })
        },
    },
    Check {
        sql: "select table_name, concat(column_name, ' (', character_set_name, ')') from information_schema.columns \
              where table_schema = database() and character_set_name <> 'utf8mb4' order by 1, 2 limit 1",
        refusal: |rows| {
            let (table, column) = rows.first()?;
            Some(format!(
                "the column {column} of the table {table} cannot hold every text. Say: \
                 alter table `{table}` convert to character set utf8mb4 collate utf8mb4_nopad_bin"
            ))
        },
    },
    Check {
        sql: "select if(@@log_bin, 'on', 'off'), @@binlog_format",
        refusal: |rows| {
            let (log, format) = rows.first()?;
            (log == "on" && format == "STATEMENT").then(|| {
                "the database logs statements, with which READ COMMITTED cannot write. Say: \
                 set global binlog_format = 'ROW', or 'MIXED'"
                    .to_owned()
            })
        },
    },
];

/// MySQL's names. Its driver compares names whenever it asks an authority, so there is no `verify_ca`.
const MODES: [(&str, Mode); 4] = [
    ("disabled", Mode::Disabled),
    ("preferred", Mode::Preferred),
    ("required", Mode::Required),
    ("verify_identity", Mode::Identity),
];

/// The driver's options from the URL.
pub(super) fn options(url: &str) -> Result<(Opts, Mode)> {
    const NAMES: [&str; 2] = ["ssl-mode", "ssl-ca"];
    let (url, [mode, file]) = tls::take(url, NAMES)?;
    let (mode, file) = tls::mode(&MODES, (NAMES[0], mode.as_deref()), (NAMES[1], file.as_deref()))?;
    if mode == Mode::Required && file.is_some() {
        return Err(Error::Config("ssl-ca is looked at by ssl-mode=verify_identity alone".to_owned()));
    }
    if let Some(file) = &file {
        tls::certificates(file)?; // the driver would take a wrong file for a lost connection
    }
    let unread = |e: &dyn std::fmt::Display| Error::Config(format!("the database's URL cannot be read: {e}"));
    let rest = url.split_once(':').map_or("", |(_, rest)| rest);
    if rest.contains('?') {
        return Err(unread(&"its only parameters are ssl-mode and ssl-ca"));
    }
    let opts = Opts::from_url(&format!("mysql:{rest}")).map_err(|e| unread(&e))?;
    let ssl = (mode != Mode::Disabled).then(|| {
        SslOpts::default()
            .with_danger_accept_invalid_certs(mode != Mode::Identity)
            .with_disable_built_in_roots(file.is_some())
            .with_root_certs(file.into_iter().map(Into::into).collect())
    });
    if ssl.is_some() {
        // The driver takes the process's own. If it has one already, that is what the process wants.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    // An IPv6 address, which the driver would look up as a name.
    let host = opts.ip_or_hostname().trim_matches(['[', ']']).to_owned();
    let builder = OptsBuilder::from_opts(opts)
        .ip_or_hostname(host)
        .ssl_opts(ssl)
        // How many rows an UPDATE found, whether it changed them or not: as on the other databases.
        .client_found_rows(true)
        .prefer_socket(false)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(KEEP_ALIVE))
        // Its own cache would parse each statement anew.
        .stmt_cache_size(0);
    Ok((builder.into(), mode))
}

/// The same without TLS, for a server that does not offer it.
pub(super) fn unencrypted(opts: &Opts) -> Opts {
    OptsBuilder::from_opts(opts.clone()).ssl_opts(None).into()
}

/// Whether the server says that it has no TLS. Other errors tell nothing, and come again.
pub(super) async fn has_no_tls(opts: &Opts) -> bool {
    #[allow(clippy::disallowed_methods)] // only its answer is looked at
    let connected = tokio::time::timeout(PATIENCE, mysql_async::Conn::new(opts.clone())).await;
    match connected {
        Ok(Ok(connection)) => {
            let _ = tokio::time::timeout(PATIENCE, connection.disconnect()).await;
            false
        }
        Ok(Err(e)) => matches!(e, mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer)),
        Err(_) => false,
    }
}

/// Kills the whole connection: that holds even if it comes before the statement, or while the statement falls asleep.
pub(super) async fn kill(opts: &Opts, id: u32) -> Result<(), mysql_async::Error> {
    #[allow(clippy::disallowed_methods)] // a connection that lives for one statement
    let mut connection = mysql_async::Conn::new(opts.clone()).await?;
    connection.query_drop(format!("KILL {id}")).await?;
    connection.disconnect().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses() {
        for (host, read) in [("[::1]", "::1"), ("127.0.0.1", "127.0.0.1"), ("db.example", "db.example")] {
            let (opts, _) = options(&format!("mariadb://a:b@{host}:3307/c")).unwrap();
            assert_eq!((opts.ip_or_hostname(), opts.tcp_port()), (read, 3307));
        }
    }
}

//! What every connection to MariaDB has to be, and how it is made sure of.

use mysql_async::{Opts, OptsBuilder};

use crate::{Error, Result};

/// How many prepared statements a connection remembers. A server has 16,382 of them by default.
const STATEMENTS: usize = 256;

/// The state of every session, said once when it begins. None of it may depend on the server's configuration.
///
/// Statements outside a transaction are reads; the server shall refuse any other. Transactions that write say so. Text is
/// compared byte by byte, trailing spaces included. Text that does not fit is an error and never cut off; quotes are those
/// of the standard, so that a `?` is found in the same places on every database.
pub(super) const SET_UP: &str = "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin; \
    SET SESSION sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,\
        NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION,ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES', \
        autocommit = 1, completion_type = 0, time_zone = '+00:00', default_storage_engine = InnoDB, \
        foreign_key_checks = 1, unique_checks = 1, sql_auto_is_null = 0; \
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY";

/// Something that must be so, and what the operator is told if it is not.
pub(super) struct Check {
    pub(super) sql: &'static str,
    pub(super) refusal: fn(&[(String, String)]) -> Option<String>,
}

/// Looked at once when the database is opened.
pub(super) const CHECKS: &[Check] = &[
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
];

/// The driver's options from the URL.
pub(super) fn options(url: &str) -> Result<Opts> {
    let unread = |e: &dyn std::fmt::Display| Error::Config(format!("the database's URL cannot be read: {e}"));
    let rest = url.split_once(':').map_or("", |(_, rest)| rest);
    let opts = Opts::from_url(&format!("mysql:{rest}")).map_err(|e| unread(&e))?;
    let builder = OptsBuilder::from_opts(opts)
        // How many rows an UPDATE found, whether it changed them or not: as on the other databases.
        .client_found_rows(true)
        .prefer_socket(false)
        .tcp_nodelay(true)
        .stmt_cache_size(STATEMENTS);
    Ok(builder.into())
}

//! MariaDB's errors, told as every database tells them.

use mysql_async::{DriverError, IoError};

use super::tls;
use crate::{Class, Error};

/// The error of a statement with its class. Codes: <https://mariadb.com/kb/en/mariadb-error-code-reference/>.
pub(super) fn error(e: &mysql_async::Error, sql: &str) -> Error {
    let server = match e {
        mysql_async::Error::Server(server) => server,
        mysql_async::Error::Driver(DriverError::Params(_) | DriverError::MixedParams | DriverError::PacketTooLarge) => {
            return Error::Encode(e.to_string());
        }
        mysql_async::Error::Io(IoError::Io(io)) if io.kind() == std::io::ErrorKind::InvalidInput => {
            return Error::Encode(e.to_string());
        }
        _ => return Error::lost(e.to_string()),
    };
    let class = match server.code {
        // duplicate entry, the same for a row that a conflicting one was told of before
        1062 | 1586 => Class::Unique(violated_index(&server.message, sql).into()),
        1216 | 1217 | 1451 | 1452 => Class::ForeignKey(constraint(&server.message).map(Into::into)),
        // deadlock, lock wait timeout, record changed since the snapshot, table changed since it, statement to be prepared anew
        1213 | 1205 | 1020 | 1412 | 1615 => Class::Retry,
        // too many connections, shutting down, killed
        1040 | 1203 | 1226 | 1077 | 1079 | 1927 => Class::Lost,
        // It takes no writes: it is a replica by now, or not in the cluster. Another connection may lead elsewhere.
        code if refuses(code, &server.message) => Class::Lost,
        // A COMMIT that failed half-way, in a cluster that may have taken it: nobody knows.
        1180 => Class::Lost,
        // disk full, table full (the same to InnoDB), out of memory, a file that cannot be written; stopped by a limit
        1021 | 1114 | 1026 | 1037 | 1038 | 1041 | 1969 => Class::Unavailable,
        // The storage engine's own words; ENOSPC among them.
        1030 if server.message.contains("rror 28") => Class::Unavailable,
        // The network, in many words.
        _ if server.state == "08S01" => Class::Lost,
        _ => Class::Other,
    };
    Error::database(class, Some(server.code.to_string()), server.message.clone())
}

/// Whether the server does nothing at all of what it is told.
fn refuses(code: u16, message: &str) -> bool {
    // 1290 has many reasons.
    matches!(code, 1047 | 1836) || (code == 1290 && message.contains("read-only"))
}

/// The error of a COMMIT. What the server did not begin to do is not there, and can be run again.
pub(super) fn of_commit(e: Error) -> Error {
    match e {
        Error::Database(e) if refuses(e.code.as_ref().map_or(0, |c| c.parse().unwrap_or(0)), &e.message) => {
            Error::database(Class::Retry, e.code, e.message)
        }
        e => e,
    }
}

/// The error of connecting.
pub(super) fn connecting(e: &mysql_async::Error) -> Error {
    if tls::refused(e) {
        return Error::Config(format!("the database's certificate is refused: {e}"));
    }
    if matches!(e, mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer)) {
        return Error::Config("the database offers no TLS, which its URL asks for".to_owned());
    }
    error(e, "")
}

/// The name of the unique index in "Duplicate entry '..' for key 'NAME'". All primary keys have the same name here, so
/// they are called as PostgreSQL calls them.
fn violated_index(message: &str, sql: &str) -> String {
    let name = message.rsplit_once("for key '").map_or("", |(_, name)| name.trim_end_matches('\''));
    match (name, target(sql)) {
        ("PRIMARY", Some(table)) => format!("{table}_pkey"),
        _ => name.to_owned(),
    }
}

/// The table that the statement writes to.
fn target(sql: &str) -> Option<&str> {
    let mut words = sql.split(|c: char| c.is_whitespace() || c == '(').filter(|word| !word.is_empty());
    let is = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
    let table = match words.next()? {
        word if is(word, "update") => words.find(|word| !is(word, "ignore") && !is(word, "low_priority"))?,
        _ => {
            words.find(|word| is(word, "into"))?;
            words.next()?
        }
    };
    Some(table.rsplit('.').next().unwrap_or(table).trim_matches(['`', '"']))
}

/// The name in `... CONSTRAINT "NAME" FOREIGN KEY ...`.
fn constraint(message: &str) -> Option<&str> {
    message.split_once("CONSTRAINT ")?.1.split(['`', '"']).nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primary_keys_are_named_by_their_table() {
        let primary = "Duplicate entry 'for key 'x'' for key 'PRIMARY'";
        for sql in [
            "insert into item (id) values (?)",
            "INSERT IGNORE INTO `b`.`item`(id) values (1)",
            "update item set id = 1",
        ] {
            assert_eq!(violated_index(primary, sql), "item_pkey", "{sql}");
        }
        assert_eq!(violated_index(primary, "load it"), "PRIMARY");
        assert_eq!(violated_index("Duplicate entry 'a' for key 'uq_a__b'", "update a set b = 1"), "uq_a__b");
    }
}

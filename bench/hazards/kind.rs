//! The kinds of databases, and how each tells what its server is busy with.

/// The kind of database that a URL names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Kind {
    pub fn of(url: &str) -> Kind {
        match url {
            _ if url.starts_with("sqlite:") => Kind::Sqlite,
            _ if url.starts_with("postgres:") => Kind::Postgres,
            _ => Kind::MariaDb,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "SQLite",
            Kind::Postgres => "PostgreSQL",
            Kind::MariaDb => "MariaDB",
        }
    }

    /// What can be counted of the server's open transactions; on MariaDB those that have touched a row.
    pub(super) fn open_transactions(self) -> Option<&'static str> {
        match self {
            Kind::Sqlite => None,
            Kind::Postgres => {
                Some("pg_stat_activity where datname = current_database() and state like 'idle in transaction%'")
            }
            Kind::MariaDb => Some(
                "information_schema.innodb_trx join information_schema.processlist on id = trx_mysql_thread_id \
                 where db = database()",
            ),
        }
    }

    /// How many of [`super::Bench::slow_read`] the server is busy with: a SELECT of n.
    pub(super) fn slow_reads(self) -> Option<&'static str> {
        match self {
            Kind::Sqlite => None, // no server
            Kind::Postgres => Some(
                "select count(*) as n from pg_stat_activity where state = 'active' and query like '%pg_sleep(3)%' \
                 and datname = current_database() and pid <> pg_backend_pid()",
            ),
            Kind::MariaDb => Some(
                "select count(*) as n from information_schema.processlist where info like '%sleep(3)%' \
                 and db = database() and id <> connection_id()",
            ),
        }
    }
}

//! Connections of the bare drivers: the laws look past greenlit.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;

use crate::support::TestDb;

pub(crate) fn raw_sqlite(url: &str) -> rusqlite::Connection {
    #[allow(clippy::disallowed_methods)] // the laws look past greenlit
    let connection = rusqlite::Connection::open(url.strip_prefix("sqlite:").unwrap()).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection.execute_batch("pragma foreign_keys = on").unwrap();
    connection
}

pub(crate) async fn raw_postgres(url: &str) -> tokio_postgres::Client {
    #[allow(clippy::disallowed_methods)] // the laws look past greenlit
    let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    client
}

pub(crate) async fn raw_mariadb(url: &str) -> mysql_async::Conn {
    #[allow(clippy::disallowed_methods)] // the laws look past greenlit
    mysql_async::Conn::from_url(url.split('?').next().unwrap().replacen("mariadb:", "mysql:", 1)).await.unwrap()
}

/// A writer that greenlit does not know: it has changed item 1 and not committed yet.
pub(crate) enum Blocker {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
    MariaDb(mysql_async::Conn),
}

impl Blocker {
    const BEGIN: &str = "update item set v = v + 100 where id = 1";

    pub(crate) async fn on(t: &TestDb) -> Blocker {
        if t.is_postgres() {
            let client = raw_postgres(t.url()).await;
            client.batch_execute(&format!("begin; {}", Self::BEGIN)).await.unwrap();
            return Blocker::Postgres(client);
        }
        if t.is_mariadb() {
            let mut connection = raw_mariadb(t.url()).await;
            connection.query_drop(format!("begin; {}", Self::BEGIN)).await.unwrap();
            return Blocker::MariaDb(connection);
        }
        let connection = raw_sqlite(t.url());
        connection.execute_batch(&format!("begin immediate; {}", Self::BEGIN)).unwrap();
        Blocker::Sqlite(connection)
    }

    pub(crate) async fn commit(self) {
        match self {
            Blocker::Sqlite(connection) => connection.execute_batch("commit").unwrap(),
            Blocker::Postgres(client) => client.batch_execute("commit").await.unwrap(),
            Blocker::MariaDb(mut connection) => connection.query_drop("commit").await.unwrap(),
        }
    }
}

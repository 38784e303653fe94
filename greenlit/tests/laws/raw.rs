//! Connections of the bare drivers: the laws look past greenlit.

use std::time::Duration;

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

//! Databases on a server, made and removed past greenlit.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use crate::{Error, Result};

/// A database on a server. Dropping it removes it.
pub(super) struct Database {
    server: String,
    name: String,
}

impl Database {
    pub(super) async fn create(variable: &str, options: &str) -> Result<Database> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var(variable).map_err(|_| {
            Error::Config(format!("{variable} names no server: run the tests by scripts/test, or set it yourself"))
        })?;
        // A random part, since a process that was killed may have left its database behind and another has its number.
        let random = RandomState::new().hash_one(());
        let name = format!("greenlit_{random:016x}_{}", COUNT.fetch_add(1, Relaxed));
        run(&server, &format!("create database {name} {options}")).await?;
        Ok(Database { server, name })
    }

    /// The server's URL with this database in it.
    pub(super) fn url(&self) -> String {
        let server = self.server.as_str();
        let (head, query) = server.split_once('?').map_or((server, None), |(head, query)| (head, Some(query)));
        let (scheme, rest) = head.split_once("://").unwrap_or(("postgres", head));
        let authority = rest.split('/').next().unwrap_or_default();
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}://{authority}/{}{query}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let force = if is_mariadb(&self.server) { "" } else { "with (force)" };
        let (server, drop_it) = (self.server.clone(), format!("drop database if exists {} {force}", self.name));
        // On a thread with a runtime of its own: this one may be about to end.
        let removed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(run(&server, &drop_it)))
        })
        .join();
        if !matches!(removed, Ok(Ok(Ok(())))) {
            tracing::warn!(database = self.name, "a scratch database was not removed");
        }
    }
}

async fn run(url: &str, sql: &str) -> Result<()> {
    let done = tokio::time::timeout(Duration::from_secs(10), async {
        match is_mariadb(url) {
            #[cfg(feature = "mariadb")]
            true => run_on_mariadb(url, sql).await,
            #[cfg(feature = "postgres")]
            false => run_on_postgres(url, sql).await,
            #[cfg(not(all(feature = "mariadb", feature = "postgres")))]
            _ => Err(Error::Config("the test server is of a database that this build does not speak to".to_owned())),
        }
    });
    done.await.unwrap_or(Err(Error::Deadline))
}

fn is_mariadb(url: &str) -> bool {
    url.starts_with("mariadb:") || url.starts_with("mysql:")
}

#[cfg(feature = "postgres")]
async fn run_on_postgres(url: &str, sql: &str) -> Result<()> {
    // With the cause, which it leaves out of its words for people.
    let lost = |e: tokio_postgres::Error| Error::lost(format!("the test server: {e:?}: {sql}"));
    let config: tokio_postgres::Config = url.parse().map_err(lost)?;
    #[allow(clippy::disallowed_methods)] // databases are made outside of any database that greenlit opens
    let (client, driver) = config.connect(tokio_postgres::NoTls).await.map_err(lost)?;
    let driver = tokio::spawn(driver);
    let done = client.batch_execute(sql).await.map_err(lost);
    drop(client);
    let _ = driver.await;
    done
}

#[cfg(feature = "mariadb")]
async fn run_on_mariadb(url: &str, sql: &str) -> Result<()> {
    use mysql_async::prelude::Queryable;
    let lost = |e: mysql_async::Error| Error::lost(format!("the test server: {e}: {sql}"));
    let url = url.replacen("mariadb:", "mysql:", 1);
    let bare = url.split('?').next().unwrap_or_default();
    #[allow(clippy::disallowed_methods)] // as above
    let mut connection = mysql_async::Conn::from_url(bare).await.map_err(lost)?;
    connection.query_drop(sql).await.map_err(lost)?;
    connection.disconnect().await.map_err(lost)
}

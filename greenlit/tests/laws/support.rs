//! What the laws stand on: a database of their own, a way around greenlit, and other processes.

use std::{future::Future, process::Command, sync::Arc, time::Duration};

use greenlit::{Config, Db, Dialect, Error, Migration, Opts, Reader, Result, Tx, args, testing::Scratch};
use mysql_async::prelude::Queryable as _;
use rusqlite::fallible_iterator::FallibleIterator as _;
use tokio::time::{Instant, timeout};

pub(crate) use crate::raw::{raw_mariadb, raw_postgres, raw_sqlite};

/// A test that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// Set in a child process: the database that it shall use.
const CHILD: &str = "GREENLIT_LAWS_CHILD";

pub(crate) const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    name: "laws",
    sql: "
        create table item (id {int} not null, v {int} not null, constraint item_pkey primary key (id));
        create table note (id {id}, body {key 200} not null);
        create unique index uq_note__body on note (body);
        create table link (
            id {int} not null, target {int},
            constraint link_pkey primary key (id),
            constraint fk_link__target foreign key (target) references item (id) deferrable initially deferred
        );
    ",
}];

/// MariaDB has no deferred constraints.
pub(crate) const MARIADB_SCHEMA: &[Migration] = &[Migration {
    sql: "
        create table item (id {int} not null, v {int} not null, constraint item_pkey primary key (id));
        create table note (id {id}, body {key 200} not null);
        create unique index uq_note__body on note (body);
        create table link (
            id {int} not null, target {int},
            constraint link_pkey primary key (id),
            constraint fk_link__target foreign key (target) references item (id)
        );
    ",
    ..SCHEMA[0]
}];

/// Makes of each law a module of the same name with a test for each database.
macro_rules! laws {
    ($($law:ident),* $(,)?) => { $crate::support::laws_on! { [sqlite postgres mariadb]: $($law),* } };
}
/// Makes tests of each law for the databases that can show it.
macro_rules! laws_on {
    ($databases:tt: $($law:ident),* $(,)?) => { $(
        mod $law {
            $crate::support::tests_on! { $law $databases }
        }
    )* };
}
macro_rules! tests_on {
    ($law:ident [$($database:ident)*]) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $database() {
            $crate::support::TestDb::$database(module_path!()).await.run(super::$law).await;
        }
    )* };
}
pub(crate) use crate::tools::{Count, Log, Process, Random};
pub(crate) use {laws, laws_on, tests_on};

/// A database with the schema of the laws.
pub(crate) struct TestDb {
    /// The path of the running test.
    test: String,
    url: String,
    dialect: Dialect,
    _scratch: Option<Scratch>,
}

impl TestDb {
    pub(crate) async fn sqlite(module: &str) -> TestDb {
        TestDb::new(module, "sqlite", async { Scratch::sqlite() }).await
    }

    pub(crate) async fn postgres(module: &str) -> TestDb {
        TestDb::new(module, "postgres", Scratch::postgres()).await
    }

    pub(crate) async fn mariadb(module: &str) -> TestDb {
        TestDb::new(module, "mariadb", Scratch::mariadb()).await
    }

    async fn new(module: &str, database: &str, scratch: impl Future<Output = Result<Scratch>>) -> TestDb {
        let module = module.split_once("::").expect("a module of the test crate").1;
        let test = format!("{module}::{database}");
        let dialect = match database {
            "sqlite" => Dialect::Sqlite,
            "postgres" => Dialect::Postgres,
            _ => Dialect::MariaDb,
        };
        if let Ok(url) = std::env::var(CHILD) {
            return TestDb { test, url, dialect, _scratch: None };
        }
        let scratch = scratch.await.unwrap_or_else(|e| panic!("{e}"));
        let t = TestDb { test, url: scratch.url().to_owned(), dialect, _scratch: Some(scratch) };
        if t.is_postgres() {
            // Deadlocks are found after this time: the laws make some on purpose.
            let database = t.url.rsplit('/').next().unwrap().split('?').next().unwrap();
            t.raw(&format!("alter database {database} set deadlock_timeout = '100ms'")).await;
        }
        t.open(1).await.migrate(t.schema()).await.unwrap();
        t
    }

    /// Runs a law on this database, for a limited time.
    pub(crate) async fn run<F: Future<Output = Result<()>>>(self, law: impl FnOnce(Arc<TestDb>) -> F) {
        let t = Arc::new(self);
        let result = timeout(PATIENCE, law(t.clone())).await.expect("the law hangs");
        result.unwrap_or_else(|e| panic!("{e:?}"));
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.dialect == Dialect::Sqlite
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.dialect == Dialect::Postgres
    }

    pub(crate) fn is_mariadb(&self) -> bool {
        self.dialect == Dialect::MariaDb
    }

    /// What this database says, of the words for SQLite, PostgreSQL and MariaDB.
    pub(crate) fn says<T>(&self, sqlite: T, postgres: T, mariadb: T) -> T {
        match self.dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
            _ => mariadb,
        }
    }

    pub(crate) fn schema(&self) -> &'static [Migration] {
        if self.is_mariadb() { MARIADB_SCHEMA } else { SCHEMA }
    }

    /// The same for another database of this kind.
    pub(crate) fn at(&self, url: &str) -> TestDb {
        TestDb { test: self.test.clone(), url: url.to_owned(), dialect: self.dialect, _scratch: None }
    }

    /// Another database of this kind, which is empty.
    pub(crate) async fn empty(&self) -> Result<Scratch> {
        match self.dialect {
            Dialect::Sqlite => Scratch::sqlite(),
            Dialect::Postgres => Scratch::postgres().await,
            _ => Scratch::mariadb().await,
        }
    }

    /// What a cast to a 64-bit integer names it.
    pub(crate) fn bigint(&self) -> &'static str {
        self.says("bigint", "bigint", "integer")
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Opens the database with so many connections.
    pub(crate) async fn open(&self, connections: usize) -> Db {
        open(&self.url, connections).await
    }

    /// Runs a script on a connection of the driver's own, which greenlit knows nothing of.
    pub(crate) async fn raw(&self, script: &str) {
        self.raw_value(script).await;
    }

    /// The last value that a script brings back, as text.
    pub(crate) async fn raw_value(&self, script: &str) -> Option<String> {
        if self.is_mariadb() {
            let mut connection = raw_mariadb(&self.url).await;
            let (mut result, mut last) = (connection.query_iter(script).await.unwrap(), None);
            while !result.is_empty() {
                let row: Option<mysql_async::Row> = result.collect().await.unwrap().pop();
                last = row.or(last);
            }
            return last.map(|row| mysql_async::from_value(row.unwrap().swap_remove(0)));
        }
        if self.is_sqlite() {
            let connection = raw_sqlite(&self.url);
            let mut rows = Vec::new();
            let mut batch = rusqlite::Batch::new(&connection, script);
            while let Some(mut statement) = batch.next().unwrap() {
                let mut cursor = statement.raw_query();
                while let Some(row) = cursor.next().unwrap() {
                    rows.push(row.get::<_, rusqlite::types::Value>(0).unwrap());
                }
            }
            return rows.pop().map(|value| match value {
                rusqlite::types::Value::Text(text) => text,
                rusqlite::types::Value::Integer(number) => number.to_string(),
                other => format!("{other:?}"),
            });
        }
        let messages = raw_postgres(&self.url).await.simple_query(script).await.unwrap();
        messages.iter().rev().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
    }

    /// A number, asked for past greenlit.
    pub(crate) async fn raw_number(&self, query: &str) -> i64 {
        self.raw_value(query).await.expect("a row").parse().expect("a number")
    }

    /// No session of this database may be left inside a transaction.
    pub(crate) async fn assert_nothing_open(&self) {
        if self.is_sqlite() {
            let connection = raw_sqlite(&self.url);
            connection.busy_timeout(Duration::from_secs(2)).unwrap();
            connection.execute_batch("begin immediate; rollback").expect("nobody holds the write lock");
            return;
        }
        eventually("a session is idle in a transaction", async || {
            if self.is_postgres() {
                let open = "select count(*) from pg_stat_activity where datname = current_database() \
                            and pid <> pg_backend_pid() and state like 'idle in transaction%'";
                return self.raw_number(open).await == 0;
            }
            let open = self.in_transaction().await;
            !self.sessions().await.iter().any(|session| open.contains(session))
        })
        .await;
    }

    /// The sessions of MariaDB that are in a transaction. By the report for people: `innodb_trx` is a copy that is not
    /// made anew while anybody looks at it more often than each tenth of a second, as tests do together.
    async fn in_transaction(&self) -> Vec<i64> {
        let report = raw_mariadb(&self.url).await.query_first("show engine innodb status").await.unwrap();
        let (_, _, report): (String, String, String) = report.unwrap();
        let thread = |transaction: &str| {
            let (first, rest) = transaction.split_once('\n')?;
            let (_, id) = rest.split_once("MariaDB thread id ")?;
            first.contains(" ACTIVE ").then(|| id.split(',').next().unwrap().parse().unwrap())
        };
        report.split("---TRANSACTION ").skip(1).filter_map(thread).collect()
    }

    /// Ends sessions at the server, and waits until they are gone.
    pub(crate) async fn terminate(&self, sessions: &[i64]) {
        for id in sessions {
            if self.is_postgres() {
                self.raw(&format!("select pg_terminate_backend({id}, 5000)")).await;
                continue;
            }
            // It may have ended by itself.
            let _ = raw_mariadb(&self.url).await.query_drop(format!("kill {id}")).await;
            let left = format!("select count(*) from information_schema.processlist where id = {id}");
            while self.raw_number(&left).await > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// The sessions of this database at the server, but for the asking one.
    pub(crate) async fn sessions(&self) -> Vec<i64> {
        let ids = self.says(
            "",
            "select string_agg(pid::text, ',') from pg_stat_activity \
             where datname = current_database() and pid <> pg_backend_pid()",
            "select coalesce(group_concat(id), '') from information_schema.processlist where db = database() and id <> connection_id()",
        );
        let ids = self.raw_value(ids).await.unwrap_or_default();
        ids.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().unwrap()).collect()
    }

    /// A statement that runs for a long time, if nobody stops it.
    pub(crate) fn slow_statement(&self) -> &'static str {
        self.says(
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < 1000000000) select count(*) from n",
            "select 1 from pg_sleep(60)",
            "select sleep(60)",
        )
    }

    /// A statement that runs so long on a server.
    pub(crate) fn sleep(&self, seconds: &str) -> String {
        self.says("", format!("select 1 from pg_sleep({seconds})").as_str(), &format!("select sleep({seconds})"))
            .to_owned()
    }

    /// The database that a child process was told to use, if this is one.
    pub(crate) fn is_child(&self) -> bool {
        std::env::var_os(CHILD).is_some()
    }

    /// Starts the running test a second time, as a process of its own on this database. Wait for its words, then let it
    /// end or kill it.
    pub(crate) fn child(&self) -> Process {
        self.child_of(Command::new(std::env::current_exe().unwrap()))
    }

    /// The same, by a command that runs this program.
    pub(crate) fn child_of(&self, mut command: Command) -> Process {
        command.args([&self.test, "--exact", "--nocapture"]).env(CHILD, &self.url);
        Process::start(command)
    }
}

/// What the laws open databases with.
pub(crate) fn config(connections: usize) -> Config {
    let mut config = Config::default();
    config.connections = connections;
    // Through a pooler, in the tier 'cluster'.
    config.named_statements = std::env::var_os("GREENLIT_TEST_UNNAMED").is_none();
    config
}

/// Opens a database with so many connections.
pub(crate) async fn open(url: &str, connections: usize) -> Db {
    Db::open_with(url, &config(connections)).await.unwrap()
}

/// Waits until something is true, for five seconds.
pub(crate) async fn eventually(otherwise: &str, mut is_true: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(5);
    while !is_true().await {
        assert!(Instant::now() < end, "after five seconds: {otherwise}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Inserts an item.
pub(crate) async fn item(tx: &mut Tx, id: i64) -> Result<u64> {
    tx.exec("insert into item (id, v) values (?, 0)", args![id]).await
}

/// How many items there are.
pub(crate) async fn items(r: &mut impl Reader) -> Result<i64> {
    Ok(r.fetch_one::<(i64,)>("select count(*) from item", args![]).await?.0)
}

/// What the next borrower of the only connection finds: it must come soon, and be able to write.
pub(crate) async fn next_borrower(db: &Db) -> (i64, i64) {
    let look = db.tx(Opts::default(), async |tx| {
        let items = items(tx).await?;
        let (jobs,): (i64,) = tx.fetch_one("select count(*) from greenlit_outbox", args![]).await?;
        tx.exec("delete from item", args![]).await?;
        tx.exec("delete from greenlit_outbox", args![]).await?;
        Ok::<_, Error>((items, jobs))
    });
    timeout(Duration::from_secs(2), look).await.expect("the next borrower waits").expect("a clean connection")
}

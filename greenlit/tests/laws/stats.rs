//! What sessions tell those who watch: counters, spans and lines.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use greenlit::{Config, Db, Error, Opts, Reader, Result, Stats, args};
use tokio::{sync::Barrier, time::timeout};
use tracing::{Level, Metadata, Subscriber, field::Field, span};

use crate::support::{Count, TestDb, eventually, item, items, laws, laws_on};

laws! {
    stats_are_exact,
    stats_count_what_was_dropped,
    stats_count_waits_for_connections,
    logs_tell_statements_without_values,
}
laws_on! { [postgres mariadb]: stats_count_tries_and_lost_connections }

/// What was counted since.
fn since(before: Stats, db: &Db) -> Stats {
    let mut now = db.stats();
    now.commits -= before.commits;
    now.rollbacks -= before.rollbacks;
    now.retries -= before.retries;
    now.statements -= before.statements;
    now.waits -= before.waits;
    now.waited -= before.waited;
    now.opened -= before.opened;
    now.discarded -= before.discarded;
    now.cancelled -= before.cancelled;
    now.abandoned -= before.abandoned;
    now.warnings -= before.warnings;
    now.groups -= before.groups;
    now
}

fn stats(fill: impl FnOnce(&mut Stats)) -> Stats {
    let mut stats = Stats::default();
    fill(&mut stats);
    stats
}

async fn stats_are_exact(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let fresh = db.stats();
    db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        tx.savepoint(async |tx| item(tx, 2).await).await
    })
    .await?;
    let groups = u64::from(t.is_sqlite());
    assert_eq!(since(fresh, &db), stats(|s| (s.commits, s.statements, s.groups) = (1, 2, groups)));

    let before = db.stats();
    let failed = db.tx(Opts::default(), async |tx| {
        item(tx, 3).await?;
        Err::<(), _>(Error::NotFound)
    });
    assert!(failed.await.is_err());
    let swallowed = db.tx(Opts::default(), async |tx| {
        let _ = item(tx, 1).await;
        Ok::<_, Error>(())
    });
    assert!(swallowed.await.is_err());
    assert_eq!(since(before, &db), stats(|s| (s.rollbacks, s.statements) = (2, 2)));

    let before = db.stats();
    assert_eq!(db.read(Opts::default(), async |r| items(r).await).await?, 2);
    assert_eq!(items(&mut db.single()).await?, 2);
    assert_eq!(since(before, &db), stats(|s| s.statements = 2));

    // Nothing was begun.
    let before = db.stats();
    db.tx(Opts::default(), async |_| Ok::<_, Error>(())).await?;
    let failed = db.tx(Opts::default(), async |_| Err::<(), _>(Error::NotFound)).await;
    assert!(failed.is_err());
    assert_eq!(since(before, &db), Stats::default());

    // One too many is counted, and is not run.
    let before = db.stats();
    let passed = db.tx(Opts::default().budget(1), async |tx| {
        item(tx, 5).await?;
        item(tx, 6).await
    });
    assert!(matches!(passed.await, Err(Error::Budget { .. })));
    assert_eq!(since(before, &db), stats(|s| (s.rollbacks, s.statements) = (1, 2)));
    Ok(())
}

async fn stats_count_what_was_dropped(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let before = db.stats();
    // Dropped between two statements: the connection is cleaned and kept.
    let dropped = db.tx(Opts::default(), async |tx| {
        item(tx, 1).await?;
        std::future::pending::<Result<()>>().await
    });
    assert!(timeout(Duration::from_millis(300), dropped).await.is_err());
    assert_eq!(since(before, &db).rollbacks, 1);
    eventually("the transaction stays open", async || db.stats().abandoned > before.abandoned).await;
    assert_eq!(since(before, &db), stats(|s| (s.rollbacks, s.statements, s.abandoned) = (1, 1, 1)));

    // Dropped in the middle of a statement: a server is told to stop it, and its connection is never used again.
    let (before, slow) = (db.stats(), t.slow_statement());
    let dropped = db.tx(Opts::default(), async move |tx| tx.exec(slow, args![]).await);
    assert!(timeout(Duration::from_millis(300), dropped).await.is_err());
    assert_eq!(since(before, &db).rollbacks, 1);
    db.tx(Opts::default(), async |tx| item(tx, 1).await).await?;
    let now = since(before, &db);
    assert_eq!((now.commits, now.rollbacks, now.retries), (1, 1, 0));
    if !t.is_sqlite() {
        assert_eq!((now.opened, now.discarded, now.cancelled, now.abandoned), (1, 1, 1, 0));
    }
    Ok(())
}

async fn stats_count_waits_for_connections(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    let before = db.stats();
    let (held, reader) = (Arc::new(Barrier::new(2)), db.clone());
    let holds = held.clone();
    let holding = tokio::spawn(async move {
        let hold = reader.read(Opts::default(), async move |r| {
            items(r).await?;
            holds.wait().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok::<_, Error>(())
        });
        hold.await
    });
    held.wait().await;
    items(&mut db.single()).await?;
    holding.await.unwrap()?;
    let now = since(before, &db);
    assert_eq!((now.waits, now.opened), (1, 0));
    assert!(now.waited > Duration::ZERO);
    // Who gives up has waited as well.
    let given_up = db.read(Opts::default(), async |r| {
        items(r).await?;
        let impatient = db.clone();
        let short = Opts::default().within(Duration::from_millis(20));
        let late = tokio::spawn(async move { impatient.read(short, async |r| items(r).await).await });
        assert!(matches!(late.await.unwrap(), Err(Error::Deadline)));
        Ok::<_, Error>(())
    });
    given_up.await?;
    assert_eq!(since(before, &db).waits, 2);
    Ok(())
}

async fn stats_count_tries_and_lost_connections(t: Arc<TestDb>) -> Result<()> {
    let (db, runs) = (t.open(1).await, Count::default());
    let (before, own, server) = (db.stats(), runs.clone(), t.clone());
    let work = db.tx(Opts::default(), async move |tx| {
        item(tx, 1).await?;
        if own.up() == 0 {
            let id = server.says("", "select cast(pg_backend_pid() as bigint)", "select connection_id()");
            let (id,): (i64,) = tx.fetch_one(id, args![]).await?;
            server.terminate(&[id]).await;
        }
        item(tx, 2).await
    });
    work.await?;
    let now = since(before, &db);
    assert_eq!(runs.get(), 2);
    assert_eq!((now.commits, now.rollbacks, now.retries, now.statements), (1, 1, 1, 5));
    assert_eq!((now.opened, now.discarded, now.waits), (1, 1, 1), "to open a connection takes time");
    Ok(())
}

/// The fingerprints of two statements: they are the same everywhere and stay the same.
const UPDATE: &str = "9b3b63b7f444606c";
const INSERT: &str = "5f56b3acb2d828f5";

/// Keeps the spans and lines of greenlit's targets, as far as they are of this level.
#[derive(Clone)]
struct Ears {
    level: Level,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Ears {
    fn hear(level: Level) -> (Ears, tracing::subscriber::DefaultGuard) {
        let ears = Ears { level, heard: Arc::default() };
        let guard = tracing::subscriber::set_default(ears.clone());
        (ears, guard)
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

struct Words(String);

impl tracing::field::Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Durations differ from run to run.
        let value = if field.name() == "duration_us" { "..".to_owned() } else { format!("{value:?}") };
        self.0.push_str(&format!(" {}={value}", field.name()));
    }
}

impl Subscriber for Ears {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("greenlit::") && *metadata.level() <= self.level
    }
    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut words = Words(span.metadata().name().to_owned());
        span.record(&mut words);
        self.heard.lock().unwrap().push(words.0);
        span::Id::from_u64(if span.metadata().name() == "greenlit.tx" { 1 } else { 2 })
    }
    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        let mut words = Words(format!("{}:", span.into_u64()));
        values.record(&mut words);
        self.heard.lock().unwrap().push(words.0);
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut words = Words(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut words);
        self.heard.lock().unwrap().push(words.0);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

async fn logs_tell_statements_without_values(t: Arc<TestDb>) -> Result<()> {
    // On a thread of its own, since only that hears: by the face that runs there.
    let told = |level: Level, slow: Option<Duration>| {
        let mut config = Config::default();
        config.slow_statement = slow;
        let url = t.url().to_owned();
        let heard = std::thread::spawn(move || {
            let db = greenlit::blocking::Db::open_with(&url, &config)?;
            let (ears, _guard) = Ears::hear(level);
            let failed = db.tx(Opts::default(), |tx| {
                tx.exec("update note set body = 'secret'  where id = 7", args![])?;
                tx.insert("insert into note (body) values (?)", args!["secret"])?;
                tx.insert("insert into note (body) values (?)", args!["secret"])
            });
            assert_eq!(failed.as_ref().map_err(Error::unique), Err(Some("uq_note__body")));
            Ok::<_, Error>(ears.take())
        });
        heard.join().unwrap()
    };
    let (update, insert) = ("update note set body = ? where id = ?", "insert into note (body) values (?)");
    let error = "error=Unique(\"uq_note__body\")";
    assert_eq!(told(Level::INFO, None)?, Vec::<String>::new());
    assert_eq!(told(Level::INFO, Some(Duration::from_secs(60)))?, Vec::<String>::new());
    let slow = told(Level::INFO, Some(Duration::ZERO))?;
    let line = |statement: &str, fingerprint: &str, end: &str| {
        format!(
            "WARN greenlit::sql message=slow statement: {statement} fingerprint=\"{fingerprint}\" {end} duration_us=.."
        )
    };
    let expected = [line(update, UPDATE, "rows=0"), line(insert, INSERT, "rows=1"), line(insert, INSERT, error)];
    assert_eq!(slow, expected);
    let all = told(Level::DEBUG, None)?;
    let statement = |statement: &str, fingerprint: &str, end: &str| {
        let rows = if end.starts_with("rows") { vec![format!("2: {end}")] } else { vec!["2:".to_owned()] };
        let mut lines = vec![format!("greenlit.statement fingerprint=\"{fingerprint}\"")];
        lines.extend(rows);
        lines.push("2: duration_us=..".to_owned());
        lines.push(format!("DEBUG greenlit::sql message={statement} {end} duration_us=.."));
        lines
    };
    let expected = [
        vec!["greenlit.tx kind=\"tx\"".to_owned()],
        statement(update, UPDATE, "rows=0"),
        statement(insert, INSERT, "rows=1"),
        statement(insert, INSERT, error),
        ["attempts=1", "statements=3", "outcome=\"failed\"", "duration_us=.."].map(|end| format!("1: {end}")).into(),
    ];
    assert_eq!(all, expected.concat());
    Ok(())
}

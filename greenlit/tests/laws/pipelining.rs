//! Law 19, of what PostgreSQL is sent before it has answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use greenlit::{Error, Opts, Reader, Result, Tx, args};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::support::{Log, TestDb, laws_on, open};

laws_on! { [postgres]: law_19_a_begin_that_fails_leaves_no_row }

/// Passes everything on, but makes BEGIN a syntax error while it is told to, and keeps what was sent before its answer.
#[derive(Clone, Default)]
struct Spoiler {
    spoils: Arc<AtomicBool>,
    sent: Log,
}

impl Spoiler {
    /// Stands before a server; tells the URL to call instead.
    async fn before(&self, url: &str) -> String {
        let (user, rest) = url.split_once('@').unwrap();
        let (server, path) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = format!("{user}@{}/{path}", listener.local_addr().unwrap());
        let (server, spoiler) = (server.to_owned(), self.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(spoiler.clone().pass_on(client, server));
            }
        });
        own
    }

    async fn pass_on(self, client: TcpStream, server: TcpStream) {
        let ((mut questions, mut to_client), (mut answers, mut to_server)) = (client.into_split(), server.into_split());
        tokio::spawn(async move { copy(&mut answers, &mut to_client).await });
        let mut question = vec![0; 64 * 1024];
        while let Ok(mut length @ 1..) = questions.read(&mut question).await {
            if self.spoils.load(SeqCst) && question[..length].windows(5).any(|word| word == b"BEGIN") {
                // What else comes was sent without knowing how BEGIN ends.
                while let Ok(Ok(more @ 1..)) =
                    timeout(Duration::from_millis(100), questions.read(&mut question[length..])).await
                {
                    length += more;
                }
                self.sent.add(&String::from_utf8_lossy(&question[..length]));
                let at = question.windows(5).position(|word| word == b"BEGIN").unwrap();
                question[at..at + 5].copy_from_slice(b"BEGAN");
            }
            if to_server.write_all(&question[..length]).await.is_err() {
                return;
            }
        }
    }
}

async fn law_19_a_begin_that_fails_leaves_no_row(t: Arc<TestDb>) -> Result<()> {
    let spoiler = Spoiler::default();
    let db = open(&spoiler.before(t.url()).await, 1).await;
    // Not stopped by the read-only transaction that a statement runs in without its BEGIN (until PostgreSQL 16).
    const MAKE: &str = "select cast(lo_create(cast(cast(? as bigint) as oid)) as bigint)";
    const NOTE: &str = "insert into note (body) values (?)";
    let everything = async |tx: &mut Tx, note: &str| {
        tx.insert(NOTE, args![note]).await?;
        tx.fetch::<(i64,)>(MAKE, args![4711]).await?;
        tx.exec("delete from item", args![]).await?;
        Err::<(), _>(Error::NotFound)
    };
    for round in 0..2 {
        // The first time prepares the statements, which the connection has at hand then.
        let prepares = Opts::default().once("undone");
        let done = db.tx(prepares.clone(), async move |tx| everything(tx, "a").await).await;
        assert!(matches!(done, Err(Error::NotFound)), "{done:?}");
        for first in ["insert", "call", "key", "savepoint"] {
            spoiler.spoils.store(true, SeqCst);
            let opts = Opts::default().attempts(1);
            let opts = if first == "key" { opts.once("spoiled") } else { opts };
            let result = db.tx(opts, async move |tx| match first {
                "call" => tx.fetch::<(i64,)>(MAKE, args![4712]).await.map(drop),
                "savepoint" => tx.savepoint(async |tx| tx.insert(NOTE, args!["spoiled"]).await).await.map(drop),
                _ => tx.insert(NOTE, args!["spoiled"]).await.map(drop),
            });
            let result = result.await;
            assert!(
                matches!(&result, Err(Error::Database(e)) if e.code.as_deref() == Some("42601")),
                "{first}: {result:?}"
            );
            spoiler.spoils.store(false, SeqCst);
            let left = "select (select count(*) from note) + (select count(*) from greenlit_commit_keys)
                        + (select count(*) from pg_largeobject_metadata)";
            assert_eq!(t.raw_number(left).await, 0, "{first}, round {round}");
            // Nobody knows what it left on its connection.
            db.tx(prepares.clone(), async move |tx| everything(tx, "a").await).await.unwrap_err();
        }
        let read = db.read(Opts::default(), async |r| r.fetch::<(i64,)>("select count(*) from item", args![]).await);
        spoiler.spoils.store(round == 1, SeqCst);
        assert_eq!(read.await.is_err(), round == 1, "a read's answer does not count either");
        spoiler.spoils.store(false, SeqCst);
    }
    assert_eq!(db.stats().discarded, 9);
    let ahead = spoiler.sent.get().iter().filter(|sent| sent.contains("spoiled")).count();
    let unnamed = std::env::var_os("GREENLIT_TEST_UNNAMED").is_some();
    assert_eq!(
        ahead,
        if unnamed { 0 } else { 4 },
        "an INSERT and a commit key are sent with BEGIN: {:?}",
        spoiler.sent.get()
    );
    Ok(())
}

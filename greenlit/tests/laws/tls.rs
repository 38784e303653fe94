//! TLS: a connection is as protected as its URL asks for, or there is none.

use std::{sync::Arc, time::Duration};

use greenlit::{Db, Error, Opts, Result, args};
use tokio::time::timeout;

use crate::{
    proxy::{Proxy, Wire},
    support::{TestDb, eventually, item, laws_on},
};

laws_on! { [postgres mariadb]:
    tls_is_what_the_url_asks_for,
    tls_is_refused_to_strangers,
    statements_are_stopped_over_tls,
    law_26_a_commit_whose_answer_cannot_be_read_is_unknown,
}

/// The certificate of `ca` signed the server's, which is made for 127.0.0.1; `other` is a stranger.
fn file(name: &str) -> String {
    let folder = std::env::var("GREENLIT_TEST_TLS");
    let folder = folder.expect("GREENLIT_TEST_TLS names no certificates: run the tests by scripts/test");
    format!("{folder}/{name}.pem")
}

/// The URL with these parameters alone.
fn with(t: &TestDb, parameters: &str) -> String {
    format!("{}?{parameters}", t.url().split('?').next().unwrap())
}

/// The URL of a verified connection.
fn verified(t: &TestDb, authority: &str) -> String {
    let parameters = t.says("", "sslmode=verify-full&sslrootcert=", "ssl-mode=verify_identity&ssl-ca=");
    with(t, &format!("{parameters}{}", file(authority)))
}

async fn is_encrypted(t: &TestDb, db: &Db) -> Result<bool> {
    let asked = t.says(
        "",
        "select ssl from pg_stat_ssl where pid = pg_backend_pid()",
        "select variable_value <> '' from information_schema.session_status where variable_name = 'Ssl_cipher'",
    );
    Ok(db.fetch_one::<(bool,)>(asked, args![]).await?.0)
}

async fn tls_is_what_the_url_asks_for(t: Arc<TestDb>) -> Result<()> {
    let postgres = [("sslmode=disable", false), ("", true), ("sslmode=prefer", true), ("sslmode=require", true)];
    let mariadb = [("ssl-mode=disabled", false), ("", true), ("ssl-mode=PREFERRED", true), ("ssl-mode=required", true)];
    for (parameters, encrypted) in if t.is_postgres() { postgres } else { mariadb } {
        let db = Db::open(&with(&t, parameters)).await?;
        assert_eq!(is_encrypted(&t, &db).await?, encrypted, "{parameters}");
    }
    assert!(is_encrypted(&t, &Db::open(&verified(&t, "ca")).await?).await?);
    if t.is_postgres() {
        // By its authority alone, whatever its name.
        for mode in ["verify-ca", "require"] {
            let url = with(&t, &format!("sslmode={mode}&sslrootcert={}", file("ca"))).replace("127.0.0.1", "localhost");
            assert!(is_encrypted(&t, &Db::open(&url).await?).await?, "{mode}");
        }
    }
    Ok(())
}

async fn tls_is_refused_to_strangers(t: Arc<TestDb>) -> Result<()> {
    let wrong_name = verified(&t, "ca").replace("127.0.0.1", "localhost");
    let browsers = with(&t, t.says("", "sslmode=verify-full", "ssl-mode=verify_identity"));
    let mut refused = vec![verified(&t, "other"), wrong_name, browsers, verified(&t, "missing")];
    if t.is_postgres() {
        refused
            .extend(["verify-ca", "require"].map(|m| with(&t, &format!("sslmode={m}&sslrootcert={}", file("other")))));
    }
    // Parameters that promise more than they would keep.
    let contradictory = t.says("", "sslmode=prefer&sslrootcert=", "ssl-mode=required&ssl-ca=");
    refused.push(with(&t, &format!("{contradictory}{}", file("ca"))));
    refused.push(with(&t, t.says("", "sslmode=on", "ssl-mode=verify_ca")));
    for url in refused {
        let opened = timeout(Duration::from_secs(10), Db::open(&url)).await.expect("it ends");
        assert!(matches!(opened, Err(Error::Config(_))), "{url}: {:?}", opened.err());
    }
    Ok(())
}

async fn statements_are_stopped_over_tls(t: Arc<TestDb>) -> Result<()> {
    let db = Db::open(&verified(&t, "ca")).await?;
    assert!(timeout(Duration::from_millis(100), db.fetch::<(i64,)>(t.slow_statement(), args![])).await.is_err());
    let running = t.says(
        "",
        "select count(*) from pg_stat_activity where datname = current_database() \
         and state = 'active' and query like '%pg_sleep%' and pid <> pg_backend_pid()",
        "select count(*) from information_schema.processlist where db = database() \
         and info like '%sleep(60)%' and id <> connection_id()",
    );
    eventually("the server still runs it", async || t.raw_number(running).await == 0).await;
    assert_eq!((db.stats().cancelled, db.stats().discarded), (1, 1));
    assert!(is_encrypted(&t, &db).await?);
    Ok(())
}

async fn law_26_a_commit_whose_answer_cannot_be_read_is_unknown(t: Arc<TestDb>) -> Result<()> {
    let proxy = Arc::new(Proxy::to(t.url().split('?').next().unwrap()).await);
    let db = Db::open(&format!("{}?{}", proxy.url, t.says("", "sslmode=require", "ssl-mode=required"))).await?;
    for (key, id) in [(None, 1), (Some("key"), 2)] {
        let opts = key.map_or_else(Opts::default, |key| Opts::default().once(key));
        let wire = proxy.clone();
        let result = db.tx(opts, async move |tx| {
            item(tx, id).await?;
            wire.set(Wire::Garble);
            Ok::<_, Error>(())
        });
        let result = result.await;
        // It was committed, but only a key can tell.
        assert!(if key.is_some() { result.is_ok() } else { matches!(result, Err(Error::CommitUnknown)) }, "{result:?}");
        assert_eq!(t.raw_number(&format!("select count(*) from item where id = {id}")).await, 1);
    }
    t.assert_nothing_open().await;
    Ok(())
}

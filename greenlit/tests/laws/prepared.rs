//! Law 6: what connections have prepared at the server, and how much of it stays there.

use std::sync::Arc;

use greenlit::{Db, Result, args};

use crate::support::{TestDb, laws_on};

laws_on! { [postgres mariadb]:
    law_06_long_statements_do_not_stay_prepared,
}

laws_on! { [mariadb]:
    law_06_what_is_run_often_stays_prepared,
}

/// How many statements the only connection has prepared and not given back, and how many it has prepared in all.
async fn prepared(t: &TestDb, db: &Db) -> Result<(i64, i64)> {
    let count = t.says(
        "",
        "select count(*), 0 from pg_prepared_statements",
        "select cast(sum(if(variable_name = 'COM_STMT_CLOSE', -variable_value, variable_value)) as integer), \
                cast(max(if(variable_name = 'COM_STMT_PREPARE', variable_value, 0)) as integer) \
         from information_schema.session_status where variable_name in ('COM_STMT_PREPARE', 'COM_STMT_CLOSE')",
    );
    db.fetch_one(count, args![]).await
}

async fn law_06_long_statements_do_not_stay_prepared(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    prepared(&t, &db).await?;
    let (before, _) = prepared(&t, &db).await?;
    for n in 0..5 {
        let long = format!("select {n} /* {} */", "x".repeat(20_000));
        for _ in 0..2 {
            assert_eq!(db.fetch::<(i64,)>(&long, args![]).await?, [(n,)]);
        }
    }
    let (after, _) = prepared(&t, &db).await?;
    assert!(after <= before + 1, "{after} instead of {before}");
    Ok(())
}

async fn law_06_what_is_run_often_stays_prepared(t: Arc<TestDb>) -> Result<()> {
    let db = t.open(1).await;
    prepared(&t, &db).await?;
    let (_, before) = prepared(&t, &db).await?;
    for n in 0..600 {
        db.fetch::<(i64,)>(&format!("select {n}"), args![]).await?;
        if n % 100 == 0 {
            prepared(&t, &db).await?;
        }
    }
    let (kept, after) = prepared(&t, &db).await?;
    assert_eq!(after - before, 600, "each was prepared once");
    assert!(kept <= 256, "{kept} stay");
    Ok(())
}

//! What the sides are asked for, and whether their answers are right.

use super::{
    Client, Failure, Feed, Post, Written, ensure,
    sql::{AUTHORS, FEEDS, PAGE},
};

#[derive(Clone, Copy)]
pub enum Operation {
    Read,
    List,
    Write,
}

impl Operation {
    pub(super) const ALL: [(Operation, &'static str); 3] =
        [(Operation::Read, "read by id"), (Operation::List, "list of 20"), (Operation::Write, "write")];

    pub(super) async fn run(self, client: &impl Client, number: i64) -> Result<(), Failure> {
        match self {
            Operation::Read => read(client, number % FEEDS + 1).await,
            Operation::List => list(client, PAGE + number % (FEEDS - PAGE + 1)).await,
            Operation::Write => write(client, number % AUTHORS + 1).await,
        }
    }
}

async fn read(client: &impl Client, id: i64) -> Result<(), Failure> {
    let feeds = client.feeds(id).await?;
    let right = feeds.len() == 1 && is_feed(&feeds[0], id);
    ensure(right, || format!("feed {id} was read as {feeds:?}"))
}

async fn list(client: &impl Client, from: i64) -> Result<(), Failure> {
    let feeds = client.list(from).await?;
    let right = feeds.len() as i64 == PAGE && is_feed(&feeds[0], from) && is_feed(&feeds[19], from - 19);
    ensure(right, || format!("the list from {from} was read as {feeds:?}"))
}

fn is_feed((id, title, _, _, nickname): &Feed, expected: i64) -> bool {
    let number = |text: &str, before: &str| text.strip_prefix(before).and_then(|n| n.parse::<i64>().ok());
    *id == expected
        && number(title, "feed ") == Some(expected)
        && number(nickname, "author ") == Some(expected % AUTHORS + 1)
}

async fn write(client: &impl Client, author: i64) -> Result<(), Failure> {
    let Written { author: read, feed, counted, jobs } = client.write(post(author)).await?;
    let right = read.0 == author && read.1.starts_with("author ") && feed > FEEDS && counted == 1 && jobs == 1;
    ensure(right, || format!("author {read:?}, feed {feed}, {counted} counters and {jobs} jobs for author {author}"))
}

/// What an author writes, always the same.
pub fn post(author: i64) -> Post {
    Post {
        author,
        title: "A bicycle was found",
        content: "It is blue, has a basket and a bell, and stands in front of the bakery since Tuesday evening.",
        created: 1_000_000,
        topic: "feed.created",
        payload: r#"{"notify":"followers"}"#,
    }
}

pub(super) async fn check(client: &impl Client, database: &str, writes: i64) -> Result<(), Failure> {
    for (sql, expected) in [
        ("select count(*) from feed", FEEDS + writes),
        ("select count(*) from job", writes),
        // Each author's counter has counted all but the first feeds.
        (
            "select count(*) from author_feeds a where feeds = (select count(*) from feed f where f.author = a.author) - 10",
            AUTHORS,
        ),
    ] {
        let found = client.number(sql).await?;
        ensure(found == expected, || format!("{sql}: {found} instead of {expected}"))?;
    }
    if database == "PostgreSQL" {
        // Of one connection, which has run the same few statements thousands of times.
        let prepared = client.number("select count(*) from pg_prepared_statements").await?;
        ensure(prepared > 0, || "no statement is prepared".to_owned())?;
    }
    Ok(())
}

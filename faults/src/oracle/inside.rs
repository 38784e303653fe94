//! What the database and the store hold when all that waits is done: (a), (c), (d) and (f), compared row by row.

use std::{collections::BTreeSet, fmt::Debug, time::Duration};

use super::tools;
use crate::{
    Breach, Failure,
    history::{History, content_of},
    pictures,
    place::Inside,
};
use futures_util::TryStreamExt;
use greenlit::{Db, FromRow};
use indicatif::ProgressBar;
use madang::{
    check::{self, Finding},
    jobs,
    media::store::Store,
};
use tokio::time::sleep;

/// Lets a board do all that waits, and compares what it holds with the history.
///
/// # Errors
/// The database or the store does not answer.
pub async fn look_inside(inside: &Inside, history: &History) -> Result<Vec<Breach>, Failure> {
    let app = &inside.app;
    if matches!(app.media.store, Store::S3(_)) {
        settle(&app.media.store).await?;
    }
    jobs::run_all(app).await?;
    let mut breaches = compare_rows(&app.db, history).await?;
    let stored = list(&app.media.store).await?;
    let expected = objects_of(history);
    let differ = |promise, of: &BTreeSet<String>, than: &BTreeSet<String>, what: &str| {
        let names: Vec<&String> = of.difference(than).collect();
        if names.is_empty() { None } else { Some(Breach::new(promise, format!("{what}: {names:?}"))) }
    };
    breaches.extend(differ('b', &expected, &stored, "objects are missing"));
    breaches.extend(differ('c', &stored, &expected, "objects have no feed"));
    match app.media.store.sweep_leftovers().await? {
        0 => {}
        left => breaches.push(Breach::new('c', format!("{left} temporary files are left"))),
    }
    let (left,) = app.db.fetch_one::<(i64,)>("select count(*) from greenlit_outbox", vec![]).await?;
    if left > 0 {
        breaches.push(Breach::new('d', format!("{left} jobs are left")));
    }
    breaches.extend(check_itself(inside).await?);
    breaches.extend(tools::ask(inside).await?);
    Ok(breaches)
}

async fn list(store: &Store) -> Result<BTreeSet<String>, Failure> {
    let objects: Vec<_> = store.list().try_collect().await?;
    Ok(objects.iter().map(ToString::to_string).collect())
}

/// Waits until what a board had sent to its bucket before it died has arrived there. The sweeper comes an hour after it, but
/// for us that hour is an instant: it must not delete what is yet to come.
async fn settle(store: &Store) -> Result<(), Failure> {
    let mut before = list(store).await?;
    loop {
        sleep(Duration::from_secs(1)).await;
        let now = list(store).await?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
}

/// The names of all objects that feeds have, by their addresses.
fn objects_of(history: &History) -> BTreeSet<String> {
    let images = history.feeds.values().flat_map(|feed| &feed.images);
    let names = images.flat_map(|(number, url)| {
        let name = url.rsplit('/').next().unwrap_or_default();
        let thumbnail = name.rsplit_once('.').map(|(key, extension)| format!("{key}.640.{extension}"));
        [Some(name.to_owned()), thumbnail.filter(|_| pictures::is_wide(*number))]
    });
    names.flatten().collect()
}

/// Compares tables with the history, each as a set of rows.
async fn compare_rows(db: &Db, history: &History) -> Result<Vec<Breach>, Failure> {
    let mut breaches = Vec::new();
    let feeds = history.feeds.iter().map(|(id, feed)| (*id, feed.author, feed.title.clone(), content_of(&feed.title)));
    breaches.extend(compare(db, "select id, author_id, title, content from feeds", feeds.collect()).await?);
    let images = history.feeds.iter().flat_map(|(id, feed)| feed.images.iter().map(|(_, url)| (*id, url)));
    let image = |(id, url): (i64, &String)| {
        let (key, extension) = url.rsplit('/').next()?.rsplit_once('.')?;
        Some((id, key.to_owned(), extension.to_owned()))
    };
    let images = images.filter_map(image).collect();
    breaches.extend(compare(db, "select coalesce(feed_id, 0), image_key, extension from images", images).await?);
    let comments = history.comments.iter().map(|(id, comment)| {
        let content = comment.content.clone();
        (*id, comment.feed, comment.author, content)
    });
    breaches.extend(compare(db, "select id, feed_id, author_id, content from comments", comments.collect()).await?);
    breaches.extend(compare(db, "select user_id, feed_id from feed_likes", history.likes.clone()).await?);
    breaches.extend(compare(db, "select follower_id, following_id from follows", history.follows.clone()).await?);
    // An account may be there whose owner was not told.
    let users: Vec<(i64, String)> = db.fetch("select id, nickname from users", vec![]).await?;
    for (id, user) in &history.users {
        let name = users.iter().find(|(there, _)| there == id).map(|(_, nickname)| nickname);
        let expected = (!user.erased).then_some(&user.nickname);
        if name != expected {
            breaches.push(Breach::new('a', format!("user {id} is {name:?} and should be {expected:?}")));
        }
    }
    Ok(breaches)
}

async fn compare<R: FromRow + Ord + Debug>(db: &Db, sql: &str, expected: BTreeSet<R>) -> Result<Vec<Breach>, Failure> {
    let rows: Vec<R> = db.fetch(sql, vec![]).await?;
    let (count, rows) = (rows.len(), rows.into_iter().collect::<BTreeSet<R>>());
    let (lost, extra): (Vec<&R>, Vec<&R>) =
        (expected.difference(&rows).collect(), rows.difference(&expected).collect());
    if lost.is_empty() && extra.is_empty() && count == rows.len() {
        return Ok(Vec::new());
    }
    Ok(vec![Breach::new('a', format!("{sql}: lost {lost:?}, nobody was told of {extra:?}, {count} rows"))])
}

/// The board's own `check`.
async fn check_itself(inside: &Inside) -> Result<Vec<Breach>, Failure> {
    let app = &inside.app;
    let board = check::Board { db: app.db.clone(), store: app.media.store.clone(), clock: app.clock.clone() };
    let mut breaches = Vec::new();
    let note = |finding: &Finding, _| {
        let promise = match finding {
            Finding::Count { .. } | Finding::Job { .. } => 'd',
            Finding::Object { what: check::Fault::Orphan, .. } => 'c',
            Finding::Object { .. } => 'b',
            Finding::Database { .. } => 'f',
        };
        breaches.push(Breach::new(promise, format!("check: {finding:?}")));
    };
    check::check(&board, false, &ProgressBar::hidden(), note).await?;
    Ok(breaches)
}

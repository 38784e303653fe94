//! Takes over a board of the FastAPI kind: accounts, feeds with images, comments, likes and follows, with their ids.
//!
//! Nothing is dropped silently: what cannot be taken over as it was stands in the report. An import that was interrupted goes
//! on where it was.

mod bucket;
mod feeds;
mod images;
mod names;
mod progress;
pub(crate) mod queries;
mod report;
mod schema;
mod social;
mod source;

use std::{collections::BTreeMap, path::PathBuf};

use greenlit::Db;
use indicatif::ProgressBar;
use serde_json::json;

pub use images::Origin;

use crate::{app::App, check::recount, clock::Timestamp, secret};
use images::Images;
use progress::{Phase, Refused};
use report::Report;
use schema::Schema;
use source::Batch;

/// What is taken over, and how.
pub struct Options {
    /// The old database.
    pub from: String,
    /// Where its images are.
    pub images: Origin,
    /// The file of the report.
    pub report: PathBuf,
    /// Told how far it is.
    pub bar: ProgressBar,
}

/// What came of it.
#[derive(Debug)]
pub struct Summary {
    /// What there is, with how many the old board had and how many the new one has.
    pub rows: Vec<(&'static str, Option<i64>, i64)>,
    /// How often each problem was met.
    pub problems: BTreeMap<String, u64>,
}

/// Why it did not work: a sentence for the operator.
#[derive(Debug)]
pub struct Failure(pub String);

impl From<greenlit::Error> for Failure {
    fn from(e: greenlit::Error) -> Failure {
        Failure(format!("a database does not serve: {e}"))
    }
}

impl From<crate::error::Error> for Failure {
    fn from(e: crate::error::Error) -> Failure {
        let cause = std::error::Error::source(&e).map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure(format!("the board does not serve ({e}){cause}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Failure {
        Failure(format!("the report cannot be written: {e}"))
    }
}

/// An import under way.
struct Import<'a> {
    app: &'a App,
    report: Report,
    images: Images,
    /// The hash of a password that nobody knows.
    unusable: String,
    now: Timestamp,
    bar: ProgressBar,
}

/// Takes over the old board, or goes on with it.
///
/// # Errors
/// A sentence for the operator; what was taken over stays, and the next run goes on.
pub async fn import(app: &App, options: Options) -> Result<Summary, Failure> {
    let (old, schema, name) = open(&options.from).await?;
    let mut counts = Vec::new();
    for table in ["users", "feeds", "comments", "likes", "follows"] {
        counts.push((table, old.fetch_one::<(i64,)>(&schema.count(table), vec![]).await?.0));
    }
    if !progress::has_ended(&app.db).await? {
        let images = Images::new(options.images).map_err(Failure)?;
        begin(app, &old, &schema, name).await?;
        options.bar.set_length(counts.iter().map(|(_, count)| u64::try_from(*count).unwrap_or_default()).sum());
        let done = queries::count_all(&mut app.db.single()).await?;
        options.bar.set_position(done[..5].iter().map(|count| u64::try_from(*count).unwrap_or_default()).sum());
        let mut import = Import {
            app,
            report: Report::open(&options.report)?,
            images,
            unusable: app.passwords.hash(secret::random_name()).await?,
            now: app.clock.now(),
            bar: options.bar,
        };
        import.note_left_behind(&old, &schema).await?;
        import.run(old, schema).await?;
        import.bar.finish_and_clear();
        recount(&app.db).await?;
        progress::end(&app.db).await?;
    }
    let new = queries::count_all(&mut app.db.single()).await?;
    let mut rows: Vec<_> = counts.into_iter().zip(new).map(|((name, old), new)| (name, Some(old), new)).collect();
    rows.push(("images", None, new[5]));
    Ok(Summary { rows, problems: Report::open(&options.report)?.counts().clone() })
}

/// Opens the old database and finds its way in it. The name tells it from others.
async fn open(from: &str) -> Result<(Db, Schema, String), Failure> {
    // SQLAlchemy's addresses name a driver.
    let (scheme, rest) = from.split_once("://").unwrap_or_default();
    if !matches!(scheme.split('+').next(), Some("postgres" | "postgresql")) {
        return Err(Failure("--from must be like postgresql://user@host/database".to_owned()));
    }
    let old = Db::open(&format!("postgresql://{rest}")).await;
    let old = old.map_err(|e| Failure(format!("the old database cannot be opened: {e}")))?;
    let schema = Schema::read(&old).await?.map_err(|missing| {
        Failure(format!("the database that --from names is no board that we know; missing: {}", missing.join("; ")))
    })?;
    let place = rest.split('?').next().unwrap_or_default();
    let name = place.rsplit('@').next().unwrap_or_default().to_owned();
    Ok((old, schema, name))
}

async fn begin(app: &App, old: &Db, schema: &Schema, name: String) -> Result<(), Failure> {
    let mut last = [0; 3];
    for (last, table) in last.iter_mut().zip(["users", "feeds", "comments"]) {
        let (least, most) = schema.range(old, table).await?;
        if least < 1 {
            return Err(Failure(format!(
                "the old board's {table} have ids below 1, which no address can name: give them others"
            )));
        }
        *last = most;
    }
    let [users, feeds, comments] = last;
    let origin = progress::Origin { name, users, feeds, comments };
    progress::begin(&app.db, &origin).await.map_err(|refused| match refused {
        Refused::NotEmpty => {
            Failure(
                "only an empty board takes another over, and this one has users or feeds: name an empty one by --data and \
                 --database-url. An import that ended is not run again, and one that was interrupted goes on only before \
                 the board serves; else it is begun anew, in an empty board"
                    .to_owned(),
            )
        }
        Refused::Other(other) => Failure(format!("this board has begun to take over another one, {other}")),
        Refused::Database(e) => e.into(),
    })
}

impl Import<'_> {
    /// What no row of the new board is made of.
    async fn note_left_behind(&mut self, old: &Db, schema: &Schema) -> Result<(), Failure> {
        for column in &schema.ignored {
            self.report.note("column_left_behind", column, serde_json::Value::Null, json!({}));
        }
        let (broken,) = old.fetch_one::<(i64,)>(&schema.broken_follows(), vec![]).await?;
        if broken > 0 {
            self.report.note("follow_of_nobody", "follows", serde_json::Value::Null, json!({"copies": broken}));
        }
        Ok(self.report.sync()?)
    }

    async fn run(&mut self, old: Db, schema: Schema) -> Result<(), Failure> {
        let mut at = progress::starts(&self.app.db).await?;
        let (reader, mut batches) = source::read(old, schema, at);
        while let Some(batch) = batches.recv().await {
            match batch {
                Batch::Users(rows) => {
                    self.bar.inc(rows.len() as u64);
                    at.users = self.users(at.users, rows).await?;
                }
                Batch::Feeds(rows) => at.feeds = self.feeds(at.feeds, rows).await?,
                Batch::Comments(rows) => {
                    self.bar.inc(rows.len() as u64);
                    at.comments = self.comments(at.comments, rows).await?;
                }
                Batch::Likes(rows) => {
                    self.bar.inc(rows.len() as u64);
                    at.likes = self.likes(at.likes, rows).await?;
                }
                Batch::Follows(rows) => {
                    self.bar.inc(rows.len() as u64);
                    at.follows = self.follows(at.follows, rows).await?;
                }
            }
        }
        reader.await.map_err(|e| Failure(e.to_string()))??;
        Ok(())
    }

    async fn users(&mut self, after: i64, rows: Vec<source::OldUser>) -> Result<i64, Failure> {
        let last = rows.last().map_or(after, |row| row.id);
        let db = &self.app.db;
        let new = names::plan(&mut db.single(), &rows, &self.unusable, self.now, &mut self.report).await?;
        self.report.sync()?;
        db.tx(progress::step(Phase::Users, (after, 0)), async |tx| {
            for user in &new {
                queries::add_user(tx, user).await?;
            }
            progress::reach(tx, (last, 0)).await
        })
        .await?;
        Ok(last)
    }

    /// When it was made and changed; what is not known is as late as it can be.
    fn times(&mut self, table: &str, id: i64, created: Option<i64>, updated: Option<i64>) -> (Timestamp, Timestamp) {
        if created.is_none() {
            self.report.note("time_missing", table, id, json!({}));
        }
        let created = created.or(updated).map_or(self.now, Timestamp);
        (created, updated.map_or(created, Timestamp))
    }

    /// Notes a text that new ones may not be like; it is kept all the same.
    fn judge_text(&mut self, table: &str, id: i64, field: &str, old: Option<&str>, new: &str, length: usize) {
        let characters = new.chars().count();
        if old.is_none() {
            self.report.note("text_missing", table, id, json!({"field": field}));
        } else if characters > length {
            self.report.note("long_text", table, id, json!({"field": field, "characters": characters}));
        }
    }
}

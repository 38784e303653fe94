//! The routes of the board in sqlx: its pools as they are by default, the board's statements, rows by `FromRow`.

#[path = "../../../board/peer/mod.rs"]
mod peer;
mod row;

use std::{str::FromStr, time::Duration};

use peer::{CONNECTIONS, Comment, Data, Failure, Feed, Result, Start, User, sql};
use row::{CommentRow, FeedRow, ImageRow, ReadRow, TotalRow, UserRow, add, join};
use sqlx::{
    AssertSqlSafe, Database, MySql, Pool, Postgres, Row, SqlSafeStr, SqlStr, Sqlite,
    pool::PoolOptions,
    query::{Query, QueryAs},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).ok_or("usage: board-sqlx DATABASE-URL")?;
    match url.split_once(':') {
        Some(("sqlite", _)) => peer::serve(sqlite(&url).await?).await,
        Some(("postgres", _)) => peer::serve(server::<Postgres>(&url).await?).await,
        Some(("mysql", _)) => peer::serve(server::<MySql>(&url).await?).await,
        _ => Err(Failure::from("sqlite:PATH, postgres://... or mysql://...")),
    }
}

/// One pool that writes, of one connection, and one that reads: who waits for the writer waits in the pool, where nobody is
/// passed over, and not in SQLite, which tries again now and then.
async fn sqlite(url: &str) -> Result<Pools<Sqlite>> {
    let options = SqliteConnectOptions::from_str(url)?
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5));
    let write = PoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    let read = PoolOptions::new().max_connections(CONNECTIONS as u32).connect_with(options.read_only(true)).await?;
    Ok(Pools { read, write, sql: Statements::of::<Sqlite>() })
}

async fn server<D: Dialect>(url: &str) -> Result<Pools<D>> {
    let pool = PoolOptions::new().max_connections(CONNECTIONS as u32).connect(url).await?;
    Ok(Pools { read: pool.clone(), write: pool, sql: Statements::of::<D>() })
}

struct Pools<D: Database> {
    read: Pool<D>,
    write: Pool<D>,
    sql: Statements,
}

/// What the databases do not agree on.
trait Dialect: Database {
    /// Begins a transaction that reads, in one snapshot.
    const READ: &'static str;
    /// Begins a transaction that writes.
    const WRITE: &'static str = "BEGIN";
    const INSERT_JOB: &'static str;

    /// The statement in the database's own words.
    fn own(sql: &'static str) -> &'static str {
        sql
    }

    /// One that inserts a row, and answers with its id if that has to be asked for.
    fn insert(sql: &'static str) -> &'static str {
        sql
    }

    /// Inserts a row; answers with its id.
    fn inserted(
        query: Query<'_, Self, Self::Arguments>,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = sqlx::Result<i64>> + Send;

    /// The statement for a list of so many.
    fn listed(sql: &'static str, count: usize) -> SqlStr {
        AssertSqlSafe(sql::listed(sql, count)).into_sql_str()
    }

    /// Binds a list.
    fn bind<'q, O>(
        query: QueryAs<'q, Self, O, Self::Arguments>,
        ids: &'q [i64],
    ) -> QueryAs<'q, Self, O, Self::Arguments>;
}

impl Dialect for Sqlite {
    const READ: &'static str = "BEGIN";
    const WRITE: &'static str = "BEGIN IMMEDIATE";
    const INSERT_JOB: &'static str = sql::INSERT_JOB_SQLITE;

    async fn inserted(query: Query<'_, Self, Self::Arguments>, connection: &mut Self::Connection) -> sqlx::Result<i64> {
        Ok(query.execute(connection).await?.last_insert_rowid())
    }

    fn bind<'q, O>(
        query: QueryAs<'q, Self, O, Self::Arguments>,
        ids: &'q [i64],
    ) -> QueryAs<'q, Self, O, Self::Arguments> {
        ids.iter().fold(query, |query, id| query.bind(*id))
    }
}

impl Dialect for Postgres {
    const READ: &'static str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    const INSERT_JOB: &'static str = sql::INSERT_JOB_POSTGRES;

    /// With an array instead of a list, and a sum that is as wide as elsewhere.
    fn own(sql: &'static str) -> &'static str {
        sql::numbered(&sql.replace("in (?*)", "= any(?)").replace(" as integer)", " as bigint)")).leak()
    }

    fn insert(sql: &'static str) -> &'static str {
        format!("{} returning id", Self::own(sql)).leak()
    }

    async fn inserted(query: Query<'_, Self, Self::Arguments>, connection: &mut Self::Connection) -> sqlx::Result<i64> {
        query.fetch_one(connection).await?.try_get(0)
    }

    fn listed(sql: &'static str, _: usize) -> SqlStr {
        sql.into_sql_str()
    }

    fn bind<'q, O>(
        query: QueryAs<'q, Self, O, Self::Arguments>,
        ids: &'q [i64],
    ) -> QueryAs<'q, Self, O, Self::Arguments> {
        query.bind(ids)
    }
}

/// Of repeatable read, which is its default and which a snapshot needs.
impl Dialect for MySql {
    const READ: &'static str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
    const INSERT_JOB: &'static str = sql::INSERT_JOB_MARIADB;

    async fn inserted(query: Query<'_, Self, Self::Arguments>, connection: &mut Self::Connection) -> sqlx::Result<i64> {
        let id = query.execute(connection).await?.last_insert_id();
        i64::try_from(id).map_err(|e| sqlx::Error::Decode(e.into()))
    }

    fn bind<'q, O>(
        query: QueryAs<'q, Self, O, Self::Arguments>,
        ids: &'q [i64],
    ) -> QueryAs<'q, Self, O, Self::Arguments> {
        ids.iter().fold(query, |query, id| query.bind(*id))
    }
}

/// The board's statements as the database takes them; made once, for as long as the process lives.
struct Statements {
    user: &'static str,
    read: &'static str,
    list: &'static str,
    list_after: &'static str,
    total_and_images: &'static str,
    images: &'static str,
    comments: &'static str,
    timeline: &'static str,
    count_feed: &'static str,
    insert_feed: &'static str,
    add_to_total: &'static str,
    count_comment: &'static str,
    count_by_author: &'static str,
    insert_comment: &'static str,
    insert_job: &'static str,
    lock_feed: &'static str,
    likes_of: &'static str,
    insert_like: &'static str,
    delete_like: &'static str,
    count_likes: &'static str,
}

impl Statements {
    fn of<D: Dialect>() -> Statements {
        Statements {
            user: D::own(sql::USER),
            read: D::own(sql::READ),
            list: D::own(sql::LIST),
            list_after: D::own(sql::LIST_AFTER),
            total_and_images: D::own(sql::TOTAL_AND_IMAGES),
            images: D::own(sql::IMAGES),
            comments: D::own(sql::COMMENTS),
            timeline: D::own(sql::TIMELINE),
            count_feed: D::own(sql::COUNT_FEED),
            insert_feed: D::insert(sql::INSERT_FEED),
            add_to_total: D::own(sql::ADD_TO_TOTAL),
            count_comment: D::own(sql::COUNT_COMMENT),
            count_by_author: D::own(sql::COUNT_BY_AUTHOR),
            insert_comment: D::insert(sql::INSERT_COMMENT),
            insert_job: D::own(D::INSERT_JOB),
            lock_feed: D::own(sql::LOCK_FEED),
            likes_of: D::own(sql::LIKES_OF),
            insert_like: D::own(sql::INSERT_LIKE),
            delete_like: D::own(sql::DELETE_LIKE),
            count_likes: D::own(sql::COUNT_LIKES),
        }
    }
}

/// The ids of these feeds, or one that no feed has, since a list has to name one.
fn ids(feeds: &[Feed]) -> Vec<i64> {
    if feeds.is_empty() { vec![0] } else { feeds.iter().map(|feed| feed.id).collect() }
}

/// The same calls for all databases: written once as text, since their generic form would be bounds for the most part.
macro_rules! data {
    ($database:ty) => {
        impl Data for Pools<$database> {
            async fn user(&self, id: i64, login: i64) -> Result<Option<User>> {
                let user = sqlx::query_as(self.sql.user).bind(id).bind(login);
                let user: Option<UserRow> = user.fetch_optional(&self.read).await?;
                Ok(user.map(User::from))
            }

            async fn read(&self, id: i64) -> Result<Option<Feed>> {
                let rows = sqlx::query_as(self.sql.read).bind(0i64).bind(id);
                let rows: Vec<ReadRow> = rows.fetch_all(&self.read).await?;
                let mut found: Option<Feed> = None;
                for ReadRow { feed, image } in rows {
                    add(found.get_or_insert_with(|| feed.into()), image);
                }
                Ok(found)
            }

            async fn list(&self, start: Start, limit: i64) -> Result<(Vec<Feed>, i64)> {
                let mut tx = self.read.begin_with(<$database>::READ).await?;
                let feeds = match start {
                    Start::Skip(skip) => sqlx::query_as(self.sql.list).bind(0i64).bind(limit).bind(skip),
                    Start::After(time, id) => {
                        let after = sqlx::query_as(self.sql.list_after).bind(0i64);
                        after.bind(time).bind(time).bind(id).bind(limit)
                    }
                };
                let feeds: Vec<FeedRow> = feeds.fetch_all(&mut *tx).await?;
                let mut feeds: Vec<Feed> = feeds.into_iter().map(Feed::from).collect();
                let ids = ids(&feeds);
                let rows = sqlx::query_as(<$database>::listed(self.sql.total_and_images, ids.len()));
                let rows: Vec<TotalRow> = <$database>::bind(rows, &ids).fetch_all(&mut *tx).await?;
                tx.commit().await?;
                let total = rows.first().ok_or("no total")?.total;
                join(&mut feeds, rows.into_iter().map(|row| row.image));
                Ok((feeds, total))
            }

            async fn comments(&self, feed: i64, limit: i64) -> Result<Vec<Comment>> {
                let top = sql::FROM_TOP;
                let comments = sqlx::query_as(self.sql.comments).bind(0i64).bind(feed);
                let comments = comments.bind(top).bind(top).bind(top).bind(limit).bind(0i64);
                let comments: Vec<CommentRow> = comments.fetch_all(&self.read).await?;
                Ok(comments.into_iter().map(Comment::from).collect())
            }

            async fn timeline(&self, user: i64, limit: i64) -> Result<Vec<Feed>> {
                let top = sql::FROM_TOP;
                let mut tx = self.read.begin_with(<$database>::READ).await?;
                let feeds = sqlx::query_as(self.sql.timeline).bind(user).bind(top).bind(user).bind(limit);
                let feeds = feeds.bind(top).bind(top).bind(limit - 1).bind(limit);
                let feeds: Vec<FeedRow> = feeds.fetch_all(&mut *tx).await?;
                let mut feeds: Vec<Feed> = feeds.into_iter().map(Feed::from).collect();
                let ids = ids(&feeds);
                let images = sqlx::query_as(<$database>::listed(self.sql.images, ids.len()));
                let images: Vec<ImageRow> = <$database>::bind(images, &ids).fetch_all(&mut *tx).await?;
                tx.commit().await?;
                join(&mut feeds, images);
                Ok(feeds)
            }

            async fn create(&self, user: i64, title: &str, content: &str, now: i64) -> Result<i64> {
                let mut tx = self.write.begin_with(<$database>::WRITE).await?;
                sqlx::query(self.sql.count_feed).bind(user).execute(&mut *tx).await?;
                let feed = sqlx::query(self.sql.insert_feed).bind(user).bind(title).bind(content).bind(now).bind(now);
                let id = <$database>::inserted(feed, &mut *tx).await?;
                sqlx::query(self.sql.add_to_total).execute(&mut *tx).await?;
                tx.commit().await?;
                Ok(id)
            }

            async fn comment(&self, user: i64, feed: i64, content: &str, now: i64) -> Result<Option<i64>> {
                let mut tx = self.write.begin_with(<$database>::WRITE).await?;
                let counted = sqlx::query(self.sql.count_comment).bind(feed).execute(&mut *tx).await?;
                if counted.rows_affected() == 0 {
                    tx.rollback().await?;
                    return Ok(None);
                }
                sqlx::query(self.sql.count_by_author).bind(user).execute(&mut *tx).await?;
                let comment = sqlx::query(self.sql.insert_comment).bind(feed).bind(user).bind(content);
                let id = <$database>::inserted(comment.bind(now).bind(now), &mut *tx).await?;
                sqlx::query(self.sql.insert_job).bind(format!("{{\"id\":{id}}}")).execute(&mut *tx).await?;
                tx.commit().await?;
                Ok(Some(id))
            }

            async fn like(&self, user: i64, feed: i64, now: i64) -> Result<bool> {
                let mut tx = self.write.begin_with(<$database>::WRITE).await?;
                let locked = sqlx::query(self.sql.lock_feed).bind(feed).execute(&mut *tx).await?;
                if locked.rows_affected() == 0 {
                    tx.rollback().await?;
                    return Ok(false);
                }
                let likes = sqlx::query_as(self.sql.likes_of).bind(user).bind(feed);
                let (_, liked): (i64, bool) = likes.fetch_one(&mut *tx).await?;
                let difference = if liked {
                    sqlx::query(self.sql.delete_like).bind(feed).bind(user).execute(&mut *tx).await?;
                    -1i64
                } else {
                    sqlx::query(self.sql.insert_like).bind(feed).bind(user).bind(now).execute(&mut *tx).await?;
                    let payload = format!("{{\"feed\":{feed},\"user\":{user}}}");
                    sqlx::query(self.sql.insert_job).bind(payload).execute(&mut *tx).await?;
                    1
                };
                sqlx::query(self.sql.count_likes).bind(difference).bind(feed).execute(&mut *tx).await?;
                tx.commit().await?;
                Ok(true)
            }
        }
    };
}

data!(Sqlite);
data!(Postgres);
data!(MySql);

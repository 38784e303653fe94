//! The routes of the board in SeaORM: entities, queries and inserts by its API, its pool as it is by default. Raw are the
//! timeline, which joins a select and has hints, a sum that each database wants cast in its own way, and the insert of a job,
//! whose time is the database's.

#[path = "../../../board/peer/mod.rs"]
mod peer;

mod entity;
mod row;

use std::time::Duration;

use entity::{comment, comment_like, feed, feed_like, image, login, total, user};
use peer::{CONNECTIONS, Comment, Data, Feed, Result, Start, User, sql};
use row::{CommentRow, FeedRow, ReadRow, UserRow};
use sea_orm::{
    AccessMode, ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExprTrait,
    FromQueryResult, IsolationLevel, LoaderTrait, QueryOrder, QuerySelect, QueryTrait, Select, Set,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    prelude::*,
    sea_query::Expr,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).ok_or("usage: board-sea-orm DATABASE-URL")?;
    peer::serve(Board::open(&url).await?).await
}

struct Board {
    read: DatabaseConnection,
    write: DatabaseConnection,
    raw: Raw,
}

/// The statements that are raw, for the database.
struct Raw {
    backend: DbBackend,
    timeline: String,
    total: &'static str,
    insert_job: String,
}

impl Board {
    async fn open(url: &str) -> Result<Board> {
        let read = Database::connect(options(url, CONNECTIONS)).await?;
        let raw = Raw::of(read.get_database_backend());
        // SQLite has one writer at a time; who waits for it waits in the pool, where nobody is passed over.
        let write = match raw.backend {
            DbBackend::Sqlite => Database::connect(options(url, 1)).await?,
            _ => read.clone(),
        };
        Ok(Board { read, write, raw })
    }

    /// A transaction that reads, in one snapshot, as each does on SQLite, and on MariaDB by default.
    async fn reading(&self) -> std::result::Result<DatabaseTransaction, DbErr> {
        match self.raw.backend {
            DbBackend::Postgres => {
                self.read.begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)).await
            }
            _ => self.read.begin().await,
        }
    }

    async fn writing(&self) -> std::result::Result<DatabaseTransaction, DbErr> {
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        self.write.begin_with_options(TransactionOptions { sqlite_transaction_mode, ..Default::default() }).await
    }
}

fn options(url: &str, connections: usize) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections as u32);
    options.map_sqlx_sqlite_opts(|options| {
        options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
    });
    options
}

impl Raw {
    fn of(backend: DbBackend) -> Raw {
        let own = |sql: &str| if backend == DbBackend::Postgres { sql::numbered(sql) } else { sql.to_owned() };
        let insert_job = match backend {
            DbBackend::Postgres => sql::INSERT_JOB_POSTGRES,
            DbBackend::MySql => sql::INSERT_JOB_MARIADB,
            _ => sql::INSERT_JOB_SQLITE,
        };
        let total = match backend {
            DbBackend::Postgres => "select cast(coalesce(sum(delta), 0) as bigint) from totals where name = 'feeds'",
            _ => "select cast(coalesce(sum(delta), 0) as integer) from totals where name = 'feeds'",
        };
        Raw { backend, timeline: own(sql::TIMELINE), total, insert_job: own(insert_job) }
    }

    fn timeline(&self, user: i64, limit: i64) -> Statement {
        let top = sql::FROM_TOP;
        let arguments = [user, top, user, limit, top, top, limit - 1, limit].map(Value::from);
        Statement::from_sql_and_values(self.backend, &self.timeline, arguments)
    }

    async fn total(&self, tx: &DatabaseTransaction) -> Result<i64> {
        let row = tx.query_one_raw(Statement::from_string(self.backend, self.total)).await?;
        Ok(row.ok_or("no total")?.try_get_by_index(0)?)
    }

    async fn insert_job(&self, tx: &DatabaseTransaction, payload: String) -> std::result::Result<(), DbErr> {
        let arguments = [Value::from(payload)];
        tx.execute_raw(Statement::from_sql_and_values(self.backend, &self.insert_job, arguments)).await?;
        Ok(())
    }
}

/// Feeds with what shows of their authors, and whether the viewer likes them.
fn feeds(viewer: i64) -> Select<feed::Entity> {
    let like = feed_like::Entity::find()
        .select_only()
        .expr(Expr::val(1))
        .filter(feed_like::Column::FeedId.into_expr().eq(feed::Column::Id.into_expr()))
        .filter(feed_like::COLUMN.user_id.eq(viewer));
    feed::Entity::find()
        .left_join(user::Entity)
        .column_as(user::Column::Email, "author_email")
        .column_as(user::Column::Nickname, "author_nickname")
        .expr_as(Expr::exists(like.into_query()), "liked")
}

/// A feed's newest comments, with the same of them.
fn comments(viewer: i64, feed: i64) -> Select<comment::Entity> {
    let like = comment_like::Entity::find()
        .select_only()
        .expr(Expr::val(1))
        .filter(comment_like::Column::CommentId.into_expr().eq(comment::Column::Id.into_expr()))
        .filter(comment_like::COLUMN.user_id.eq(viewer));
    comment::Entity::find()
        .inner_join(user::Entity)
        .column_as(user::Column::Email, "author_email")
        .column_as(user::Column::Nickname, "author_nickname")
        .expr_as(Expr::exists(like.into_query()), "liked")
        .filter(comment::COLUMN.feed_id.eq(feed))
        .order_by_desc(comment::Column::CreateDt)
        .order_by_desc(comment::Column::Id)
}

/// A page of the list. The first condition of a later one is for planners that see no range in a comparison of rows.
fn page(start: Start, limit: i64) -> Select<feed::Entity> {
    let feeds = feeds(0).order_by_desc(feed::Column::CreateDt).order_by_desc(feed::Column::Id).limit(limit as u64);
    match start {
        Start::Skip(skip) => feeds.offset(skip as u64),
        Start::After(time, id) => {
            let place = Expr::tuple([feed::Column::CreateDt, feed::Column::Id].map(|column| column.into_expr()));
            let after = Expr::tuple([Expr::val(time), Expr::val(id)]);
            feeds.filter(feed::COLUMN.create_dt.lte(time)).filter(place.lt(after))
        }
    }
}

/// Gives feeds their images.
async fn with_images(rows: Vec<FeedRow>, tx: &DatabaseTransaction) -> Result<Vec<Feed>> {
    let (feeds, about): (Vec<_>, Vec<_>) = rows.into_iter().map(|row| (row.feed, row.about)).unzip();
    let images = feeds.load_many(image::Entity::find().order_by_asc(image::Column::Position), tx).await?;
    let feeds = feeds.into_iter().zip(about).zip(images);
    Ok(feeds.map(|((feed, about), images)| row::feed(feed, about, images.into_iter().map(Into::into))).collect())
}

impl Data for Board {
    async fn user(&self, id: i64, login: i64) -> Result<Option<User>> {
        let user = user::Entity::find_by_id(id)
            .inner_join(login::Entity)
            .filter(login::COLUMN.id.eq(login))
            .filter(user::COLUMN.suspended_dt.is_null())
            .filter(user::COLUMN.erased_dt.is_null())
            .into_partial_model::<UserRow>();
        Ok(user.one(&self.read).await?.map(User::from))
    }

    async fn read(&self, id: i64) -> Result<Option<Feed>> {
        let rows = feeds(0)
            .left_join(image::Entity)
            .columns([
                image::Column::ImageKey,
                image::Column::Extension,
                image::Column::Width,
                image::Column::Height,
                image::Column::ThumbWidth,
            ])
            .filter(feed::COLUMN.id.eq(id))
            .order_by_asc(image::Column::Position)
            .into_model::<ReadRow>();
        let mut rows = rows.all(&self.read).await?.into_iter();
        let Some(ReadRow { feed, about, image }) = rows.next() else { return Ok(None) };
        Ok(Some(row::feed(feed, about, image.into_iter().chain(rows.filter_map(|row| row.image)))))
    }

    async fn list(&self, start: Start, limit: i64) -> Result<(Vec<Feed>, i64)> {
        let tx = self.reading().await?;
        let rows = page(start, limit).into_model::<FeedRow>().all(&tx).await?;
        let feeds = with_images(rows, &tx).await?;
        let total = self.raw.total(&tx).await?;
        tx.commit().await?;
        Ok((feeds, total))
    }

    async fn comments(&self, feed: i64, limit: i64) -> Result<Vec<Comment>> {
        let comments = comments(0, feed).limit(limit as u64).into_model::<CommentRow>().all(&self.read).await?;
        Ok(comments.into_iter().map(Comment::from).collect())
    }

    async fn timeline(&self, user: i64, limit: i64) -> Result<Vec<Feed>> {
        let tx = self.reading().await?;
        let rows = FeedRow::find_by_statement(self.raw.timeline(user, limit)).all(&tx).await?;
        let feeds = with_images(rows, &tx).await?;
        tx.commit().await?;
        Ok(feeds)
    }

    async fn create(&self, user: i64, title: &str, content: &str, now: i64) -> Result<i64> {
        let tx = self.writing().await?;
        user::Entity::update_many()
            .col_expr(user::Column::FeedCount, user::COLUMN.feed_count.add(1i64))
            .filter(user::COLUMN.id.eq(user))
            .exec(&tx)
            .await?;
        let feed = feed::ActiveModel {
            author_id: Set(user),
            title: Set(title.to_owned()),
            content: Set(content.to_owned()),
            create_dt: Set(now),
            update_dt: Set(now),
            ..Default::default()
        };
        let id = feed::Entity::insert(feed).exec(&tx).await?.last_insert_id;
        let one = total::ActiveModel { name: Set("feeds".to_owned()), delta: Set(1), ..Default::default() };
        total::Entity::insert(one).exec_without_returning(&tx).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn comment(&self, user: i64, feed: i64, content: &str, now: i64) -> Result<Option<i64>> {
        let tx = self.writing().await?;
        let counted = feed::Entity::update_many()
            .col_expr(feed::Column::CommentCount, feed::COLUMN.comment_count.add(1i64))
            .filter(feed::COLUMN.id.eq(feed))
            .exec(&tx)
            .await?;
        if counted.rows_affected == 0 {
            tx.rollback().await?;
            return Ok(None);
        }
        user::Entity::update_many()
            .col_expr(user::Column::CommentCount, user::COLUMN.comment_count.add(1i64))
            .filter(user::COLUMN.id.eq(user))
            .exec(&tx)
            .await?;
        let comment = comment::ActiveModel {
            feed_id: Set(feed),
            author_id: Set(user),
            content: Set(content.to_owned()),
            create_dt: Set(now),
            update_dt: Set(now),
            ..Default::default()
        };
        let id = comment::Entity::insert(comment).exec(&tx).await?.last_insert_id;
        self.raw.insert_job(&tx, format!("{{\"id\":{id}}}")).await?;
        tx.commit().await?;
        Ok(Some(id))
    }

    async fn like(&self, user: i64, feed: i64, now: i64) -> Result<bool> {
        let tx = self.writing().await?;
        let locked = feed::Entity::find_by_id(feed).select_only().column(feed::Column::Id).lock_exclusive();
        if locked.into_tuple::<i64>().one(&tx).await?.is_none() {
            tx.rollback().await?;
            return Ok(false);
        }
        let difference: i64 = if feed_like::Entity::find_by_id((feed, user)).one(&tx).await?.is_some() {
            feed_like::Entity::delete_by_id((feed, user)).exec(&tx).await?;
            -1
        } else {
            let like = feed_like::ActiveModel { feed_id: Set(feed), user_id: Set(user), create_dt: Set(now) };
            feed_like::Entity::insert(like).exec_without_returning(&tx).await?;
            self.raw.insert_job(&tx, format!("{{\"feed\":{feed},\"user\":{user}}}")).await?;
            1
        };
        feed::Entity::update_many()
            .col_expr(feed::Column::LikeCount, feed::COLUMN.like_count.add(difference))
            .filter(feed::COLUMN.id.eq(feed))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}

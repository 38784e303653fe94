//! The history of the schema, one for every database. A migration that has been released is never changed.

use greenlit::{Db, Migration};

/// All migrations, oldest first.
pub const HISTORY: &[Migration] = &[
    Migration { version: 1, name: "accounts, feeds and images", sql: include_str!("0001_accounts_feeds_images.sql") },
    Migration {
        version: 2,
        name: "comments, likes, follows and counts",
        sql: include_str!("0002_comments_likes_follows_counts.sql"),
    },
    Migration { version: 3, name: "logins", sql: include_str!("0003_logins.sql") },
    Migration { version: 4, name: "installation", sql: include_str!("0004_installation.sql") },
    Migration { version: 5, name: "notifications", sql: include_str!("0005_notifications.sql") },
    Migration { version: 6, name: "the chat in LINE", sql: include_str!("0006_line.sql") },
];

const APPLIED: &str = "select coalesce(max(version), 0) from greenlit_migrations where history = 'application'";

/// Whether the database has all migrations and no others.
///
/// # Errors
/// What the database says, also if it has no board.
pub(crate) async fn is_current(db: &Db) -> greenlit::Result<bool> {
    let (applied,) = db.fetch_one::<(i64,)>(APPLIED, Vec::new()).await?;
    Ok(HISTORY.last().is_some_and(|last| last.version == applied))
}

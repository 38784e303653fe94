//! What of the database is backed up, and the statements that read it.

use greenlit::{Reader, Result, Value, args};

use super::hold;

/// A table of a backup.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// By which it is read, piece by piece: one or two columns that are unique together.
    key: &'static [&'static str],
    /// All of its columns.
    pub columns: &'static [&'static str],
    /// The rows that count.
    only: &'static str,
}

/// All tables, in an order in which no row refers to one that comes later.
pub const SCHEMA: &[Table] = &[
    Table {
        name: "users",
        key: &["id"],
        columns: &[
            "id",
            "email",
            "email_key",
            "nickname",
            "nickname_key",
            "password_hash",
            "token_epoch",
            "create_dt",
            "is_admin",
            "suspended_dt",
            "erased_dt",
            "feed_count",
            "comment_count",
            "follower_count",
            "following_count",
        ],
        only: "1 = 1",
    },
    Table {
        name: "feeds",
        key: &["id"],
        columns: &["id", "author_id", "title", "content", "create_dt", "update_dt", "like_count", "comment_count"],
        only: "1 = 1",
    },
    Table {
        name: "images",
        key: &["id"],
        columns: IMAGE_COLUMNS,
        // What is staged belongs to requests that are under way, and its objects may not be there yet.
        only: "feed_id is not null",
    },
    Table {
        name: "comments",
        key: &["id"],
        columns: &["id", "feed_id", "author_id", "content", "like_count", "create_dt", "update_dt"],
        only: "1 = 1",
    },
    Table {
        name: "feed_likes",
        key: &["feed_id", "user_id"],
        columns: &["feed_id", "user_id", "create_dt"],
        only: "1 = 1",
    },
    Table {
        name: "comment_likes",
        key: &["comment_id", "user_id"],
        columns: &["comment_id", "user_id", "create_dt"],
        only: "1 = 1",
    },
    Table {
        name: "follows",
        key: &["id"],
        columns: &["id", "follower_id", "following_id", "create_dt"],
        only: "1 = 1",
    },
    Table {
        name: "notification_inboxes",
        key: &["user_id"],
        columns: &["user_id", "version", "on_comment", "on_reply", "on_like", "on_follow", "outside"],
        only: "1 = 1",
    },
    Table {
        name: "notifications",
        key: &["id"],
        columns: &["id", "user_id", "kind", "feed_id", "comment_id", "unread_as", "version", "create_dt", "update_dt"],
        only: "1 = 1",
    },
    Table {
        name: "notification_causes",
        key: &["id"],
        columns: &[
            "id",
            "notification_id",
            "user_id",
            "actor_id",
            "comment_id",
            "liked_feed_id",
            "liked_comment_id",
            "follow_id",
        ],
        only: "1 = 1",
    },
    Table {
        name: "line_chats",
        key: &["line_id"],
        columns: &["line_id", "language", "is_friend", "friend_dt"],
        only: "1 = 1",
    },
    Table {
        name: "line_links",
        key: &["user_id"],
        columns: &["user_id", "line_id", "create_dt", "told", "told_dt", "draft", "draft_dt"],
        only: "1 = 1",
    },
    Table {
        name: "line_events",
        key: &["event_id"],
        columns: &["event_id", "line_id", "waiting_dt", "create_dt"],
        only: "1 = 1",
    },
    Table {
        name: "line_link_tokens",
        key: &["token_hash"],
        columns: &["token_hash", "line_id", "display_name", "expire_dt"],
        only: "1 = 1",
    },
    Table { name: "totals", key: &["id"], columns: &["id", "name", "delta"], only: "1 = 1" },
    Table {
        name: "logins",
        key: &["id"],
        columns: &["id", "user_id", "family_hash", "generation", "create_dt", "rotate_dt", "expire_dt"],
        only: "1 = 1",
    },
    Table {
        name: "line_nonces",
        key: &["nonce_hash"],
        columns: &["nonce_hash", "user_id", "login_id", "line_id", "expire_dt"],
        only: "1 = 1",
    },
    Table {
        name: "greenlit_outbox",
        key: &["id"],
        columns: &["id", "topic", "payload", "due", "attempts", "last_error"],
        // That of the backup itself.
        only: "topic <> 'backup.hold'",
    },
    Table {
        name: "greenlit_commit_keys",
        key: &["commit_key"],
        columns: &["commit_key", "outcome", "taken"],
        only: "1 = 1",
    },
];

const IMAGE_COLUMNS: &[&str] = &[
    "id",
    "image_key",
    "extension",
    "owner_id",
    "feed_id",
    "position",
    "width",
    "height",
    "expire_dt",
    "thumb_width",
    "thumb_height",
];

/// The columns that hold booleans, which SQLite tells as integers.
pub(super) const BOOLEANS: &[&str] = &["is_admin", "is_friend"];
/// How many rows are read at a time: of the longest feeds, this is some 20 MB.
const PAGE: i64 = 100;

impl Table {
    /// Whether its ids are given by the database.
    pub(super) fn counts_ids(&self) -> bool {
        self.key == ["id"]
    }

    /// The rows behind this one, which are its values, or the first ones; some at a time.
    pub(super) async fn page(&self, r: &mut impl Reader, after: Option<&[Value]>) -> Result<Vec<Vec<Value>>> {
        let Some(after) = after else { return r.fetch(&self.first(), args![PAGE]).await };
        let key: Vec<Value> = self.key.iter().filter_map(|column| self.value_of(after, column)).collect();
        let mut rows = Vec::new();
        if let [first, second] = &key[..] {
            rows = r.fetch(&self.rest(), vec![first.clone(), second.clone(), PAGE.into()]).await?;
        }
        if (rows.len() as i64) < PAGE
            && let Some(first) = key.into_iter().next()
        {
            let more: Vec<Vec<Value>> = r.fetch(&self.next(), vec![first, PAGE.into()]).await?;
            rows.extend(more);
        }
        Ok(rows)
    }

    /// The value that a row has in a column.
    fn value_of(&self, row: &[Value], column: &str) -> Option<Value> {
        row.get(self.columns.iter().position(|known| *known == column)?).cloned()
    }

    fn select(&self) -> String {
        format!("select {} from {} where {}", self.columns.join(", "), self.name, self.only)
    }

    fn first(&self) -> String {
        format!("{} order by {} limit ?", self.select(), self.key.join(", "))
    }

    /// Behind the first column of the key.
    fn next(&self) -> String {
        format!("{} and {} > ? order by {} limit ?", self.select(), self.key[0], self.key.join(", "))
    }

    /// Of the same first column, behind the second. Databases differ in which form of both at once they can find by an index.
    fn rest(&self) -> String {
        let [first, second] = [self.key[0], self.key[self.key.len() - 1]];
        format!("{} and {first} = ? and {second} > ? order by {second} limit ?", self.select())
    }

    /// The statement that writes so many rows.
    pub(super) fn insert(name: &str, columns: &[String], rows: usize) -> String {
        let row = format!("({})", vec!["?"; columns.len()].join(", "));
        format!("insert into {name} ({}) values {}", columns.join(", "), vec![row.as_str(); rows].join(", "))
    }
}

/// Every statement of backups with its name, for the test that prepares them on each database.
pub fn statements() -> Vec<(String, String)> {
    let fixed = hold::STATEMENTS.iter().map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned()));
    let of_tables = SCHEMA.iter().flat_map(|table| {
        let columns: Vec<String> = table.columns.iter().map(|column| (*column).to_owned()).collect();
        let mut all = vec![
            ("first", table.first()),
            ("next", table.next()),
            ("insert", Table::insert(table.name, &columns, 1)),
            ("delete", format!("delete from {}", table.name)),
        ];
        if table.key.len() > 1 {
            all.push(("rest", table.rest()));
        }
        all.into_iter().map(|(what, sql)| (format!("{what} {}", table.name), sql))
    });
    fixed.chain(of_tables).collect()
}

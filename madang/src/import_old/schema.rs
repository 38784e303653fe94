//! What the old board's tables are called, and how they are read.
//!
//! Boards of this kind differ in the names of columns. Each name that is known is tried; what is not found is told, all of
//! it at once.

use std::collections::BTreeMap;

use greenlit::{Db, Result, args};

/// What a column must hold.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Id,
    Text,
    Time,
    Urls,
}

/// A column: what it is to us, what it may be called, what it holds, and whether a board has it by all means.
type Wanted = (&'static str, &'static [&'static str], Kind, bool);

const CREATED: &[&str] =
    &["create_dt", "created_at", "create_at", "created", "created_dt", "create_date", "created_date"];
const UPDATED: &[&str] =
    &["update_dt", "updated_at", "update_at", "updated", "updated_dt", "update_date", "modified_at"];
const AUTHOR_ID: &[&str] = &["author_id", "user_id", "owner_id", "writer_id"];
const AUTHOR_EMAIL: &[&str] = &["author_email", "user_email", "owner_email", "writer_email"];
const FEED: &[&str] = &["feed_id", "post_id"];
const ID: Wanted = ("id", &["id"], Kind::Id, true);
const CONTENT: Wanted = ("content", &["content", "body", "text"], Kind::Text, true);

/// The tables: what each is to us, what it may be called, and its columns. Of `author_id` and `author_email` one is enough.
const TABLES: [(&str, &[&str], &[Wanted]); 5] = [
    (
        "users",
        &["users", "user", "members", "member"],
        &[
            ID,
            ("email", &["email", "email_address"], Kind::Text, true),
            ("password", &["password", "hashed_password", "password_hash"], Kind::Text, true),
            ("nickname", &["nickname", "nick_name", "username", "user_name", "name"], Kind::Text, true),
            ("created", CREATED, Kind::Time, true),
        ],
    ),
    (
        "feeds",
        &["feeds", "feed", "posts", "post"],
        &[
            ID,
            ("title", &["title", "subject"], Kind::Text, true),
            CONTENT,
            ("urls", &["image_urls", "image_url", "images"], Kind::Urls, true),
            ("author_id", AUTHOR_ID, Kind::Id, false),
            ("author_email", AUTHOR_EMAIL, Kind::Text, false),
            ("created", CREATED, Kind::Time, true),
            ("updated", UPDATED, Kind::Time, false),
        ],
    ),
    (
        "comments",
        &["comments", "comment"],
        &[
            ID,
            CONTENT,
            ("feed", FEED, Kind::Id, true),
            ("author_id", AUTHOR_ID, Kind::Id, false),
            ("author_email", AUTHOR_EMAIL, Kind::Text, false),
            ("created", CREATED, Kind::Time, true),
            ("updated", UPDATED, Kind::Time, false),
        ],
    ),
    (
        "likes",
        &["likes", "like"],
        &[
            ID,
            ("feed", FEED, Kind::Id, true),
            ("comment", &["comment_id"], Kind::Id, true),
            ("author_id", AUTHOR_ID, Kind::Id, false),
            ("author_email", AUTHOR_EMAIL, Kind::Text, false),
            ("created", CREATED, Kind::Time, false),
        ],
    ),
    (
        "follows",
        &["follows", "follow", "followers"],
        &[
            ("id", &["id"], Kind::Id, false), // not needed; known, so that it does not count as left behind
            ("follower", &["follower_id", "from_user_id", "user_id"], Kind::Id, true),
            ("following", &["following_id", "followed_id", "followee_id", "to_user_id"], Kind::Id, true),
            ("created", CREATED, Kind::Time, false),
        ],
    ),
];

/// A table of the old board.
#[derive(Clone, Debug)]
struct Table {
    name: String,
    /// Our name of each column that was found: theirs, and its type.
    columns: BTreeMap<&'static str, (String, String)>,
}

/// The old board's tables, all that is needed of them.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    tables: BTreeMap<&'static str, Table>,
    /// Tables and columns that nothing is taken from.
    pub(super) ignored: Vec<String>,
}

impl Schema {
    /// Reads the names of the old tables and columns.
    ///
    /// # Errors
    /// What the database says; inside, what is missing.
    pub(super) async fn read(old: &Db) -> Result<std::result::Result<Schema, Vec<String>>> {
        let sql = "select table_name::text, column_name::text, data_type::text from information_schema.columns \
                   where table_schema = current_schema() order by table_name, ordinal_position";
        let columns: Vec<(String, String, String)> = old.fetch(sql, vec![]).await?;
        Ok(Schema::find(&columns))
    }

    fn find(columns: &[(String, String, String)]) -> std::result::Result<Schema, Vec<String>> {
        let (mut tables, mut missing, mut used) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (ours, names, wanted) in TABLES {
            let Some(name) = names.iter().find(|name| columns.iter().any(|(table, ..)| table == *name)) else {
                missing.push(format!("a table {}", names.join(" or ")));
                continue;
            };
            let mut found = BTreeMap::new();
            for (column, names, kind, needed) in wanted {
                let of = |alias: &&&str| columns.iter().find(|(table, column, _)| table == name && column == **alias);
                match names.iter().find_map(|alias| of(&alias)) {
                    Some((_, theirs, kept_as)) if fits(*kind, kept_as) => {
                        used.push((*name, theirs.clone()));
                        found.insert(*column, (theirs.clone(), kept_as.clone()));
                    }
                    Some((_, theirs, kept_as)) => missing.push(format!("{name}.{theirs} is of type {kept_as}")),
                    None if *needed => missing.push(format!("a column {name}.{}", names.join(" or "))),
                    None => {}
                }
            }
            let has_author = wanted.iter().any(|(column, ..)| *column == "author_id");
            if has_author && !found.contains_key("author_id") && !found.contains_key("author_email") {
                missing.push(format!("a column {name}.{} or {}", AUTHOR_ID.join(" or "), AUTHOR_EMAIL.join(" or ")));
            }
            tables.insert(ours, Table { name: (*name).to_owned(), columns: found });
        }
        let unused = |(table, column, _): &&(String, String, String)| {
            !used.iter().any(|(t, c)| t == table && c == column) && table != "alembic_version"
        };
        let ignored = columns.iter().filter(unused).map(|(table, column, _)| format!("{table}.{column}")).collect();
        if missing.is_empty() { Ok(Schema { tables, ignored }) } else { Err(missing) }
    }

    /// The statement that reads a batch of users: `id > ?`, `limit ?`. So do the others.
    pub(super) fn users(&self) -> String {
        self.select("users", &["id", "email", "password", "nickname", "created"], "")
    }

    pub(super) fn feeds(&self) -> String {
        let author = self.author("feeds");
        self.select("feeds", &["id", "title", "content", "urls", "created", "updated"], &author)
    }

    pub(super) fn comments(&self) -> String {
        let author = self.author("comments");
        self.select("comments", &["id", "content", "feed", "created", "updated"], &author)
    }

    pub(super) fn likes(&self) -> String {
        let author = self.author("likes");
        self.select("likes", &["id", "feed", "comment", "created"], &author)
    }

    /// Pairs behind a pair, each once and with how often it is there: the table may have no id.
    pub(super) fn follows(&self) -> String {
        let (follower, following) = (self.raw("follows", "follower"), self.raw("follows", "following"));
        let created = self.value("follows", "created");
        format!(
            "select {follower}::bigint as follower, {following}::bigint as following, min({created}) as created, \
             count(*) as copies from {} t where ({follower}, {following}) > (?, ?) \
             group by {follower}, {following} order by {follower}, {following} limit ?",
            self.table("follows")
        )
    }

    /// How many follows lack one of both.
    pub(super) fn broken_follows(&self) -> String {
        let (follower, following) = (self.raw("follows", "follower"), self.raw("follows", "following"));
        format!("select count(*) from {} t where {follower} is null or {following} is null", self.table("follows"))
    }

    /// How many rows a table has.
    pub(super) fn count(&self, table: &str) -> String {
        format!("select count(*) from {} t", self.table(table))
    }

    /// The smallest id of a table, and the largest that it ever gave away.
    pub(super) async fn range(&self, old: &Db, table: &str) -> Result<(i64, i64)> {
        let id = self.raw(table, "id");
        let name = self.table(table);
        let sql = format!(
            "select coalesce(min({id}), 1)::bigint, greatest(coalesce(max({id}), 0), coalesce((select s.last_value \
             from pg_sequences s where format('%I.%I', s.schemaname, s.sequencename) = pg_get_serial_sequence(?, 'id')), \
             0))::bigint from {name} t"
        );
        old.fetch_one(&sql, args![name]).await
    }

    fn select(&self, table: &str, columns: &[&str], more: &str) -> String {
        let value = |column: &&str| format!("{} as {column}", self.value(table, column));
        let values: Vec<String> = columns.iter().map(value).collect();
        // The column itself, not cast: so that its index serves.
        let id = self.raw(table, "id");
        format!("select {}{more} from {} t where {id} > ? order by {id} limit ?", values.join(", "), self.table(table))
    }

    /// The author's id, and how the row names him.
    fn author(&self, table: &str) -> String {
        let of = &self.tables[table].columns;
        if of.contains_key("author_id") {
            let id = self.raw(table, "author_id");
            return format!(", {id}::bigint as author, {id}::text as author_name");
        }
        let email = self.raw(table, "author_email");
        let users = &self.tables["users"].columns;
        let (id, theirs) = (quoted(&users["id"].0), quoted(&users["email"].0));
        let user = format!("select min(u.{id})::bigint from {} u where u.{theirs} = {email}", self.table("users"));
        format!(", ({user}) as author, {email}::text as author_name")
    }

    fn raw(&self, table: &str, column: &str) -> String {
        format!("t.{}", quoted(&self.tables[table].columns[column].0))
    }

    fn table(&self, table: &str) -> String {
        quoted(&self.tables[table].name)
    }

    /// A column as a value that greenlit reads.
    fn value(&self, table: &str, column: &str) -> String {
        let kind = TABLES.iter().filter(|(name, ..)| *name == table).flat_map(|(.., wanted)| wanted.iter());
        let kind = kind.filter(|(name, ..)| *name == column).map(|(_, _, kind, _)| *kind).next();
        let found = self.tables[table].columns.get(column);
        let theirs = found.map(|(name, _)| format!("t.{}", quoted(name)));
        match (kind, theirs) {
            (Some(Kind::Id), Some(theirs)) => format!("{theirs}::bigint"),
            (Some(Kind::Time), Some(theirs)) => {
                format!("case when isfinite({theirs}) then round(extract(epoch from {theirs}) * 1000000)::bigint end")
            }
            (Some(Kind::Urls), Some(theirs)) if found.is_some_and(|(_, kept_as)| kept_as == "ARRAY") => {
                format!("array_to_json({theirs})::text")
            }
            (Some(Kind::Time | Kind::Id) | None, None) => "null::bigint".to_owned(),
            (_, Some(theirs)) => format!("{theirs}::text"),
            (_, None) => "null::text".to_owned(),
        }
    }
}

fn fits(kind: Kind, kept_as: &str) -> bool {
    match kind {
        Kind::Id => ["bigint", "integer", "smallint"].contains(&kept_as),
        Kind::Time => kept_as.starts_with("timestamp") || kept_as == "date",
        Kind::Text => ["text", "character varying", "character", "USER-DEFINED"].contains(&kept_as),
        Kind::Urls => ["json", "jsonb", "text", "character varying", "ARRAY"].contains(&kept_as),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

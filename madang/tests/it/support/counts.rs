//! Every counter, held against the rows that it counts.

use madang::app::App;

/// What is kept, and of what it is the number: a column of each row of a table, aliased `t`, and the rows.
const KEPT: [(&str, &str, &str); 7] = [
    ("users", "feed_count", "feeds x where x.author_id = t.id"),
    ("users", "comment_count", "comments x where x.author_id = t.id"),
    ("users", "follower_count", "follows x where x.following_id = t.id"),
    ("users", "following_count", "follows x where x.follower_id = t.id"),
    ("feeds", "like_count", "feed_likes x where x.feed_id = t.id"),
    ("feeds", "comment_count", "comments x where x.feed_id = t.id"),
    ("comments", "like_count", "comment_likes x where x.comment_id = t.id"),
];

/// Counts all rows that are counted anywhere, and panics where a counter says otherwise.
pub(crate) async fn assert_counts(app: &App) {
    for (table, column, rows) in KEPT {
        let sql = format!("select t.id, t.{column}, (select count(*) from {rows}) from {table} t order by t.id");
        let counted: Vec<(i64, i64, i64)> = app.db.fetch(&sql, vec![]).await.unwrap();
        let wrong: Vec<_> = counted.into_iter().filter(|(_, kept, rows)| kept != rows).collect();
        assert!(wrong.is_empty(), "{table}.{column}: (id, counter, rows) are {wrong:?}");
    }
    let sql = "select cast(coalesce(sum(delta), 0) as integer) from totals where name = 'feeds'";
    let (total,): (i64,) = app.db.fetch_one(sql, vec![]).await.unwrap();
    let (feeds,): (i64,) = app.db.fetch_one("select count(*) from feeds", vec![]).await.unwrap();
    assert_eq!(total, feeds, "the total of feeds");
}

//! The board's statements, for peers that write SQL themselves. Arguments are `?`.

macro_rules! feed_columns {
    () => {
        "f.id, f.title, f.content, f.author_id, u.email as author_email, u.nickname as author_nickname, \
         f.create_dt, f.update_dt, f.like_count, f.comment_count, \
         (select count(*) from feed_likes l where l.feed_id = f.id and l.user_id = ?) > 0 as liked"
    };
}
macro_rules! image_columns {
    () => {
        "i.feed_id, i.image_key, i.extension, i.position, i.width, i.height, i.thumb_width"
    };
}
macro_rules! select_feeds {
    ($rest:literal) => {
        concat!("select ", feed_columns!(), " from feeds f left join users u on u.id = f.author_id ", $rest)
    };
}

/// Arguments: user, log-in.
pub const USER: &str = "select u.id, u.email, u.nickname, u.token_epoch, u.is_admin, u.create_dt from users u \
    join logins l on l.user_id = u.id where u.id = ? and l.id = ? and u.suspended_dt is null and u.erased_dt is null";
/// A row for each image, or one. Arguments: viewer, feed.
pub const READ: &str = concat!(
    "select ", feed_columns!(), ", ", image_columns!(), " from feeds f join users u on u.id = f.author_id \
     left join images i on i.feed_id = f.id where f.id = ? order by i.position"
);
/// Arguments: viewer, limit, skip.
pub const LIST: &str = select_feeds!("order by f.create_dt desc, f.id desc limit ? offset ?");
/// Arguments: viewer, time, time, id, limit.
pub const LIST_AFTER: &str = select_feeds!(
    "where f.create_dt <= ? and (f.create_dt, f.id) < (?, ?) order by f.create_dt desc, f.id desc limit ?"
);
/// The total, and the images of some feeds, whose ids stand where `?*` is; there is a row even if there is no image.
pub const TOTAL_AND_IMAGES: &str = concat!(
    "select t.total, ", image_columns!(), " from (select \
     (select cast(coalesce(sum(delta), 0) as integer) from totals where name = 'feeds') as total) t \
     left join images i on i.feed_id in (?*) order by i.feed_id, i.position"
);
/// The images of some feeds, whose ids stand where `?*` is.
pub const IMAGES: &str =
    concat!("select ", image_columns!(), " from images i where i.feed_id in (?*) order by i.feed_id, i.position");
/// Arguments: viewer, feed, then [`FROM_TOP`] three times, limit, 0.
pub const COMMENTS: &str = "select c.id, c.feed_id, c.content, c.author_id, u.email as author_email, \
    u.nickname as author_nickname, c.create_dt, c.update_dt, c.like_count, \
    (select count(*) from comment_likes l where l.comment_id = c.id and l.user_id = ?) > 0 as liked \
    from comments c join users u on u.id = c.author_id where c.feed_id = ? \
    and c.create_dt <= ? and (c.create_dt < ? or c.id < ?) order by c.create_dt desc, c.id desc limit ? offset ?";
/// Where a descending list begins.
pub const FROM_TOP: i64 = i64::MAX;
/// Arguments: viewer, [`FROM_TOP`], user, limit, [`FROM_TOP`] twice, limit - 1, limit.
pub const TIMELINE: &str = select_feeds!(
    "join (select n.id from (\
         select x.following_id as author_id, coalesce((\
             select g.id from feeds g /*M! force index (ix_feeds__author) */ \
             where g.author_id = x.following_id and g.id < ? order by g.id desc limit 1), 0) as newest \
         from follows x where x.follower_id = ? order by newest desc limit ?\
     ) a join feeds n /*M! force index (ix_feeds__author) */ \
     on n.author_id = a.author_id and n.id < ? and n.id >= coalesce((\
         select g.id from feeds g /*M! force index (ix_feeds__author) */ \
         where g.author_id = a.author_id and g.id < ? order by g.id desc limit 1 offset ?), 0) \
     order by n.id desc limit ?) t on t.id = f.id order by f.id desc"
);

/// Arguments: user.
pub const COUNT_FEED: &str = "update users set feed_count = feed_count + 1 where id = ?";
/// Arguments: user, title, content, time, time.
pub const INSERT_FEED: &str =
    "insert into feeds (author_id, title, content, create_dt, update_dt) values (?, ?, ?, ?, ?)";
pub const ADD_TO_TOTAL: &str = "insert into totals (name, delta) values ('feeds', 1)";

/// Arguments: feed.
pub const COUNT_COMMENT: &str = "update feeds set comment_count = comment_count + 1 where id = ?";
/// Arguments: user.
pub const COUNT_BY_AUTHOR: &str = "update users set comment_count = comment_count + 1 where id = ?";
/// Arguments: feed, user, content, time, time.
pub const INSERT_COMMENT: &str =
    "insert into comments (feed_id, author_id, content, create_dt, update_dt) values (?, ?, ?, ?, ?)";

/// Arguments: feed.
pub const LOCK_FEED: &str = "update feeds set update_dt = update_dt where id = ?";
/// Arguments: user, feed.
pub const LIKES_OF: &str = "select f.like_count, \
    exists (select 1 from feed_likes l where l.feed_id = f.id and l.user_id = ?) as liked from feeds f where f.id = ?";
/// Arguments: feed, user, time.
pub const INSERT_LIKE: &str = "insert into feed_likes (feed_id, user_id, create_dt) values (?, ?, ?)";
/// Arguments: feed, user.
pub const DELETE_LIKE: &str = "delete from feed_likes where feed_id = ? and user_id = ?";
/// Arguments: difference, feed.
pub const COUNT_LIKES: &str = "update feeds set like_count = like_count + ? where id = ?";

/// A job, as the board has one that tells somebody of what was done; of a topic that its worker leaves alone. The time is the
/// database's own: one of the constants below.
macro_rules! insert_job {
    ($now:literal) => {
        concat!("insert into greenlit_outbox (topic, payload, due) values ('bench', ?, ", $now, ")")
    };
}
/// Arguments: payload.
pub const INSERT_JOB_SQLITE: &str = insert_job!("cast(unixepoch('subsec') * 1000000 as integer)");
/// Arguments: payload.
pub const INSERT_JOB_POSTGRES: &str = insert_job!("cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)");
/// Arguments: payload.
pub const INSERT_JOB_MARIADB: &str =
    insert_job!("timestampdiff(microsecond, timestamp '1970-01-01 00:00:00', utc_timestamp(6))");

/// With `$1`, `$2` for its arguments.
pub fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.enumerate().fold(first, |sql, (at, part)| format!("{sql}${}{part}", at + 1))
}

/// With so many `?` in the place of `?*`.
pub fn listed(sql: &str, count: usize) -> String {
    sql.replace("?*", &vec!["?"; count].join(", "))
}

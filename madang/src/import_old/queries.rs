//! All SQL of the import, as far as it is about the new board.

use std::collections::HashSet;

use greenlit::{Reader, Result, Tx, args, list};

use super::{
    names::NewUser,
    social::{NewComment, NewLike, Target},
};
use crate::clock::Timestamp;

crate::statements! {
    ANY_USER = "select id from users limit 1";
    ANY_FEED = "select id from feeds limit 1";
    ANY_COMMENT = "select id from comments limit 1";
    ADD_USER = "insert into users (id, email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt) \
                values (?, ?, ?, ?, ?, ?, 1, ?)";
    ADD_FEED = "insert into feeds (id, author_id, title, content, create_dt, update_dt) values (?, ?, ?, ?, ?, ?)";
    ADD_COMMENT = "insert into comments (id, feed_id, author_id, content, create_dt, update_dt) values (?, ?, ?, ?, ?, ?)";
    ADD_FEED_LIKE = "insert into feed_likes (feed_id, user_id, create_dt) values (?, ?, ?)";
    ADD_COMMENT_LIKE = "insert into comment_likes (comment_id, user_id, create_dt) values (?, ?, ?)";
    ADD_FOLLOW = "insert into follows (follower_id, following_id, create_dt) values (?, ?, ?)";
    DELETE_USER = "delete from users where id = ?";
    DELETE_FEED = "delete from feeds where id = ?";
    DELETE_COMMENT = "delete from comments where id = ?";
    EMAILS = "select email_key from users where email_key in (?*)";
    NICKNAMES = "select nickname_key from users where nickname_key in (?*)";
    USERS = "select id from users where id in (?*)";
    FEEDS = "select id from feeds where id in (?*)";
    COMMENTS = "select id from comments where id in (?*)";
    FEED_LIKES = "select feed_id, user_id from feed_likes where feed_id in (?*) and user_id in (?*)";
    COMMENT_LIKES = "select comment_id, user_id from comment_likes where comment_id in (?*) and user_id in (?*)";
    COUNT_ALL = "select (select count(*) from users), (select count(*) from feeds), (select count(*) from comments), \
                 (select count(*) from feed_likes) + (select count(*) from comment_likes), \
                 (select count(*) from follows), (select count(*) from images where feed_id is not null)";
}
pub(super) async fn is_empty(r: &mut impl Reader) -> Result<bool> {
    for any in [ANY_USER, ANY_FEED, ANY_COMMENT] {
        if r.fetch_optional::<(i64,)>(any, vec![]).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Uses up the ids to these: SQLite and MariaDB remember the largest that was ever inserted, also when its row is gone.
pub(super) async fn pass_ids(tx: &mut Tx, users: i64, feeds: i64, comments: i64) -> Result<()> {
    if users > 0 {
        tx.exec(ADD_USER, args![users, "-", "-", "-", "-", "-", 0_i64]).await?;
    }
    if users > 0 && feeds > 0 {
        tx.exec(ADD_FEED, args![feeds, users, "-", "-", 0_i64, 0_i64]).await?;
    }
    if users > 0 && feeds > 0 && comments > 0 {
        tx.exec(ADD_COMMENT, args![comments, feeds, users, "-", 0_i64, 0_i64]).await?;
    }
    tx.exec(DELETE_COMMENT, args![comments]).await?;
    tx.exec(DELETE_FEED, args![feeds]).await?;
    tx.exec(DELETE_USER, args![users]).await.map(drop)
}

/// PostgreSQL's sequences know nothing of ids that are given. `nextval`, since they may stand further already.
pub(super) async fn set_sequences(tx: &mut Tx, users: i64, feeds: i64, comments: i64) -> Result<()> {
    for (table, last) in [("users", users), ("feeds", feeds), ("comments", comments)] {
        let sequence = format!("pg_get_serial_sequence('{table}', 'id')");
        let sql = format!("select setval({sequence}, greatest(?, nextval({sequence})))");
        tx.fetch_one::<(i64,)>(&sql, args![last]).await?;
    }
    Ok(())
}

pub(super) async fn add_user(tx: &mut Tx, user: &NewUser) -> Result<()> {
    let (email, nickname) = (&user.email, &user.nickname);
    let args = args![user.id, email, email.key(), nickname, nickname.key(), &user.password_hash, user.created];
    tx.exec(ADD_USER, args).await.map(drop)
}

pub(super) async fn add_feed(
    tx: &mut Tx,
    (id, author): (i64, i64),
    (title, content): (&str, &str),
    (created, updated): (Timestamp, Timestamp),
) -> Result<()> {
    tx.exec(ADD_FEED, args![id, author, title, content, created, updated]).await.map(drop)
}

pub(super) async fn add_comment(tx: &mut Tx, new: &NewComment) -> Result<()> {
    tx.exec(ADD_COMMENT, args![new.id, new.feed, new.author, &new.content, new.created, new.updated]).await.map(drop)
}

pub(super) async fn add_like(tx: &mut Tx, new: &NewLike) -> Result<()> {
    let (sql, target) = match new.target {
        Target::Feed(id) => (ADD_FEED_LIKE, id),
        Target::Comment(id) => (ADD_COMMENT_LIKE, id),
    };
    tx.exec(sql, args![target, new.user, new.created]).await.map(drop)
}

pub(super) async fn add_follow(tx: &mut Tx, follower: i64, following: i64, created: Timestamp) -> Result<()> {
    tx.exec(ADD_FOLLOW, args![follower, following, created]).await.map(drop)
}

/// Those of the keys that some user's address has.
pub(super) async fn emails(r: &mut impl Reader, keys: &[String]) -> Result<HashSet<String>> {
    Ok(r.fetch_in::<(String,), _>(EMAILS, keys).await?.into_iter().map(|(key,)| key).collect())
}

/// Those of the keys that some user's nickname has.
pub(super) async fn nicknames(r: &mut impl Reader, keys: &[String]) -> Result<HashSet<String>> {
    Ok(r.fetch_in::<(String,), _>(NICKNAMES, keys).await?.into_iter().map(|(key,)| key).collect())
}

/// Those of the ids that are users.
pub(super) async fn users(r: &mut impl Reader, ids: &[i64]) -> Result<HashSet<i64>> {
    present(r, USERS, ids).await
}

/// Those of the ids that are feeds.
pub(super) async fn feeds(r: &mut impl Reader, ids: &[i64]) -> Result<HashSet<i64>> {
    present(r, FEEDS, ids).await
}

/// Those of the ids that are comments.
pub(super) async fn comments(r: &mut impl Reader, ids: &[i64]) -> Result<HashSet<i64>> {
    present(r, COMMENTS, ids).await
}

async fn present(r: &mut impl Reader, sql: &str, ids: &[i64]) -> Result<HashSet<i64>> {
    Ok(r.fetch_in::<(i64,), _>(sql, ids).await?.into_iter().map(|(id,)| id).collect())
}

/// The likes that there are of these users for these feeds and comments.
pub(super) async fn likes(
    r: &mut impl Reader,
    users: &[i64],
    feeds: &[i64],
    comments: &[i64],
) -> Result<HashSet<(Target, i64)>> {
    let of_feeds: Vec<(i64, i64)> = r.fetch(FEED_LIKES, args![list(feeds), list(users)]).await?;
    let of_comments: Vec<(i64, i64)> = r.fetch(COMMENT_LIKES, args![list(comments), list(users)]).await?;
    let of_feeds = of_feeds.into_iter().map(|(id, user)| (Target::Feed(id), user));
    Ok(of_feeds.chain(of_comments.into_iter().map(|(id, user)| (Target::Comment(id), user))).collect())
}

/// How many users, feeds, comments, likes, follows and images there are.
pub(super) async fn count_all(r: &mut impl Reader) -> Result<[i64; 6]> {
    let (users, feeds, comments, likes, follows, images) = r.fetch_one(COUNT_ALL, vec![]).await?;
    Ok([users, feeds, comments, likes, follows, images])
}

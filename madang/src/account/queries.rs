//! All SQL of accounts.

use greenlit::{Reader, Result, Tx, args};

use super::{
    UserId,
    model::{Email, Nickname, User},
};
use crate::clock::Timestamp;

crate::statements! {
    // Who is suspended or erased is nobody.
    BY_ID = "select id, email, nickname, token_epoch, is_admin, create_dt from users \
             where id = ? and suspended_dt is null and erased_dt is null";
    BY_EMAIL = "select id, email, nickname, token_epoch, is_admin, create_dt, password_hash from users \
                where email_key = ? and suspended_dt is null and erased_dt is null";
    ID_BY_NICKNAME = "select id from users where nickname_key = ?";
    COUNT_FEEDS = "update users set feed_count = feed_count + ? where id = ?";
    INSERT = "insert into users (email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt) \
              values (?, ?, ?, ?, ?, 1, ?)";
}

/// A user with the hash of his password.
#[derive(greenlit::FromRow)]
pub(crate) struct Login {
    #[row(flatten)]
    pub(crate) user: User,
    pub(crate) password_hash: String,
}

pub(crate) async fn by_id(r: &mut impl Reader, id: UserId) -> Result<Option<User>> {
    r.fetch_optional(BY_ID, args![id]).await
}

pub(crate) async fn by_email(r: &mut impl Reader, email: &Email) -> Result<Option<Login>> {
    r.fetch_optional(BY_EMAIL, args![email.key()]).await
}

pub(crate) async fn id_by_nickname(r: &mut impl Reader, nickname: &Nickname) -> Result<Option<UserId>> {
    let row: Option<(UserId,)> = r.fetch_optional(ID_BY_NICKNAME, args![nickname.key()]).await?;
    Ok(row.map(|(id,)| id))
}

/// Counts feeds that this transaction inserts for the user, or deletes.
pub(crate) async fn count_feeds(tx: &mut Tx, user: UserId, delta: i64) -> Result<()> {
    tx.exec(COUNT_FEEDS, args![delta, user]).await.map(drop)
}

pub(crate) async fn insert(
    tx: &mut Tx,
    email: &Email,
    nickname: &Nickname,
    password_hash: &str,
    now: Timestamp,
) -> Result<i64> {
    tx.insert(INSERT, args![email, email.key(), nickname, nickname.key(), password_hash, now]).await
}

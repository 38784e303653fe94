//! All SQL of accounts.

use greenlit::{Reader, Result, Tx, args};

use super::{
    UserId,
    model::{Email, Nickname, User},
};
use crate::clock::Timestamp;

crate::statements! {
    BY_ID = "select id, email, nickname, token_epoch, create_dt from users where id = ?";
    BY_EMAIL = "select id, email, nickname, token_epoch, create_dt, password_hash from users where email_key = ?";
    ID_BY_NICKNAME = "select id from users where nickname_key = ?";
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

pub(crate) async fn insert(
    tx: &mut Tx,
    email: &Email,
    nickname: &Nickname,
    password_hash: &str,
    now: Timestamp,
) -> Result<i64> {
    tx.insert(INSERT, args![email, email.key(), nickname, nickname.key(), password_hash, now]).await
}

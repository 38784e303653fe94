//! All SQL of accounts.

use greenlit::{Reader, Result, Tx, args, list};

use super::{
    UserId,
    model::{Email, LoginId, Nickname, User},
};
use crate::clock::Timestamp;

crate::statements! {
    // The one statement of every authenticated request. Who is suspended or erased is nobody, and so is a log-in that ended.
    BY_LOGIN = "select u.id, u.email, u.nickname, u.token_epoch, u.is_admin, u.create_dt from users u \
                join logins l on l.user_id = u.id \
                where u.id = ? and l.id = ? and u.suspended_dt is null and u.erased_dt is null";
    // The same for what he does by no log-in.
    ACTING = "select u.id, u.email, u.nickname, u.token_epoch, u.is_admin, u.create_dt from users u \
              where u.id = ? and u.suspended_dt is null and u.erased_dt is null";
    // The same for a browser, which knows the log-in by its secret. When it was last gone on with tells whether to do so again.
    BY_COOKIE = "select u.id, u.email, u.nickname, u.token_epoch, u.is_admin, u.create_dt, l.id as login_id, l.rotate_dt \
                 from logins l join users u on u.id = l.user_id \
                 where l.family_hash = ? and l.expire_dt > ? and u.suspended_dt is null and u.erased_dt is null";
    BY_EMAIL = "select id, email, nickname, token_epoch, is_admin, create_dt, password_hash from users \
                where email_key = ? and suspended_dt is null and erased_dt is null";
    PASSWORD_HASH = "select password_hash from users where id = ? and suspended_dt is null and erased_dt is null";
    NICKNAME = "select nickname from users where id = ? and erased_dt is null";
    ID_BY_NICKNAME = "select id from users where nickname_key = ?";
    ID_BY_EMAIL = "select id from users where email_key = ?";
    TOKEN_EPOCH = "select token_epoch from users where id = ?";
    // A page of all, for the operator.
    LIST = "select id, email, nickname, is_admin, suspended_dt, create_dt from users \
            where id > ? and erased_dt is null order by id limit ?";
    COUNT_FEEDS = "update users set feed_count = feed_count + ? where id = ?";
    INSERT = "insert into users (email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt) \
              values (?, ?, ?, ?, ?, 1, ?)";

    // What changes a password, or rests on its having been right, checks that it is still that one, and locks the row.
    REPLACE_HASH = "update users set password_hash = ? \
                    where id = ? and password_hash = ? and suspended_dt is null and erased_dt is null";
    SET_EMAIL = "update users set email = ?, email_key = ? where id = ?";
    SET_NICKNAME = "update users set nickname = ?, nickname_key = ? where id = ? and erased_dt is null";
    RESET_PASSWORD = "update users set password_hash = ?, token_epoch = token_epoch + 1 where id = ?";
    RAISE_EPOCH = "update users set token_epoch = token_epoch + 1 where id = ?";
    SET_ADMIN = "update users set is_admin = ? where id = ?";
    SUSPEND = "update users set suspended_dt = coalesce(suspended_dt, ?), token_epoch = token_epoch + 1 \
               where id = ? and erased_dt is null";
    LIFT = "update users set suspended_dt = null where id = ? and erased_dt is null";
    ERASE = "update users set erased_dt = ?, token_epoch = token_epoch + 1, is_admin = ?, email = '', email_key = ?, \
             nickname = '', nickname_key = ?, password_hash = '' where id = ?";
    ERASED_BEFORE = "select id from users where erased_dt <= ? order by erased_dt limit ?";
    // A staged image waits for its expiry.
    DELETE = "delete from users where id = ? and erased_dt is not null \
              and not exists (select 1 from images i where i.owner_id = users.id)";

    BEGIN = "insert into logins (user_id, family_hash, generation, create_dt, rotate_dt, expire_dt) values (?, ?, 0, ?, ?, ?)";
    // The newest that is one too many, with those before it.
    SURPLUS = "select id from logins where user_id = ? order by id desc limit 1 offset ?";
    END_SURPLUS = "delete from logins where user_id = ? and id <= ?";
    LOCK_FAMILY = "update logins set rotate_dt = rotate_dt where family_hash = ?";
    FAMILY = "select l.id, l.user_id, l.generation, l.rotate_dt, u.token_epoch from logins l join users u on u.id = l.user_id \
              where l.family_hash = ? and l.expire_dt > ? and u.suspended_dt is null and u.erased_dt is null";
    PROLONG = "update logins set rotate_dt = ?, expire_dt = ? where id = ?";
    ROTATE = "update logins set generation = ?, rotate_dt = ?, expire_dt = ? where id = ?";
    END = "delete from logins where id = ?";
    END_BROWSER = "delete from logins where family_hash = ?";
    END_FAMILY = "delete from logins where family_hash = ? and user_id = ?";
    END_OTHERS = "delete from logins where user_id = ? and id <> ?";
    END_ALL = "delete from logins where user_id = ?";
    EXPIRED = "select id from logins where expire_dt <= ? order by expire_dt limit ?";
    END_EXPIRED = "delete from logins where id in (?*) and expire_dt <= ?";
}

/// A user with the hash of his password.
#[derive(greenlit::FromRow)]
pub(crate) struct Login {
    #[row(flatten)]
    pub(crate) user: User,
    pub(crate) password_hash: String,
}

/// A user with the log-in that his browser has.
#[derive(greenlit::FromRow)]
pub(super) struct AtBrowser {
    #[row(flatten)]
    pub(super) user: User,
    pub(super) login_id: LoginId,
    pub(super) rotate_dt: Timestamp,
}

/// A log-in as its refresh tokens need it.
#[derive(greenlit::FromRow)]
pub(super) struct Family {
    pub(super) id: LoginId,
    pub(super) user_id: UserId,
    /// The number of the newest token.
    pub(super) generation: i64,
    /// When that was made.
    pub(super) rotate_dt: Timestamp,
    pub(super) token_epoch: i64,
}

/// A user as the operator sees him.
#[derive(greenlit::FromRow)]
pub(crate) struct Listed {
    pub(crate) id: UserId,
    pub(crate) email: Email,
    pub(crate) nickname: Nickname,
    pub(crate) is_admin: bool,
    pub(crate) suspended_dt: Option<Timestamp>,
    pub(crate) create_dt: Timestamp,
}

pub(super) async fn by_login(r: &mut impl Reader, id: UserId, login: LoginId) -> Result<Option<User>> {
    r.fetch_optional(BY_LOGIN, args![id, login]).await
}

pub(super) async fn by_id(r: &mut impl Reader, id: UserId) -> Result<Option<User>> {
    r.fetch_optional(ACTING, args![id]).await
}

pub(super) async fn by_cookie(r: &mut impl Reader, family_hash: &str, now: Timestamp) -> Result<Option<AtBrowser>> {
    r.fetch_optional(BY_COOKIE, args![family_hash, now]).await
}

pub(crate) async fn by_email(r: &mut impl Reader, email: &Email) -> Result<Option<Login>> {
    r.fetch_optional(BY_EMAIL, args![email.key()]).await
}

pub(super) async fn password_hash(r: &mut impl Reader, id: UserId) -> Result<Option<String>> {
    let row: Option<(String,)> = r.fetch_optional(PASSWORD_HASH, args![id]).await?;
    Ok(row.map(|(hash,)| hash))
}

pub(crate) async fn id_by_nickname(r: &mut impl Reader, nickname: &Nickname) -> Result<Option<UserId>> {
    let row: Option<(UserId,)> = r.fetch_optional(ID_BY_NICKNAME, args![nickname.key()]).await?;
    Ok(row.map(|(id,)| id))
}

pub(crate) async fn nickname(r: &mut impl Reader, id: UserId) -> Result<Option<Nickname>> {
    let row: Option<(Nickname,)> = r.fetch_optional(NICKNAME, args![id]).await?;
    Ok(row.map(|(nickname,)| nickname))
}

/// Whose address it is, also of somebody who is suspended.
pub(crate) async fn id_by_email(r: &mut impl Reader, email: &Email) -> Result<Option<UserId>> {
    let row: Option<(UserId,)> = r.fetch_optional(ID_BY_EMAIL, args![email.key()]).await?;
    Ok(row.map(|(id,)| id))
}

pub(super) async fn token_epoch(r: &mut impl Reader, id: UserId) -> Result<i64> {
    r.fetch_one::<(i64,)>(TOKEN_EPOCH, args![id]).await.map(|(epoch,)| epoch)
}

/// The users after this one, in the order of their ids.
pub(crate) async fn list_after(r: &mut impl Reader, id: UserId, limit: i64) -> Result<Vec<Listed>> {
    r.fetch(LIST, args![id, limit]).await
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

/// Replaces a hash by another or by itself, and locks the user's row. Tells whether it was still his.
pub(super) async fn replace_hash(tx: &mut Tx, id: UserId, old: &str, new: &str) -> Result<bool> {
    tx.exec(REPLACE_HASH, args![new, id, old]).await.map(|rows| rows > 0)
}

pub(super) async fn set_email(tx: &mut Tx, id: UserId, email: &Email) -> Result<()> {
    tx.exec(SET_EMAIL, args![email, email.key(), id]).await.map(drop)
}

/// Tells whether there is such a user.
pub(super) async fn set_nickname(tx: &mut Tx, id: UserId, nickname: &Nickname) -> Result<bool> {
    tx.exec(SET_NICKNAME, args![nickname, nickname.key(), id]).await.map(|rows| rows > 0)
}

pub(crate) async fn reset_password(tx: &mut Tx, id: UserId, hash: &str) -> Result<()> {
    tx.exec(RESET_PASSWORD, args![hash, id]).await.map(drop)
}

pub(super) async fn raise_epoch(tx: &mut Tx, id: UserId) -> Result<()> {
    tx.exec(RAISE_EPOCH, args![id]).await.map(drop)
}

pub(crate) async fn set_admin(tx: &mut Tx, id: UserId, is_admin: bool) -> Result<()> {
    tx.exec(SET_ADMIN, args![is_admin, id]).await.map(drop)
}

/// Tells whether there is such a user.
pub(super) async fn suspend(tx: &mut Tx, id: UserId, now: Timestamp) -> Result<bool> {
    tx.exec(SUSPEND, args![now, id]).await.map(|rows| rows > 0)
}

/// Tells whether there is such a user.
pub(super) async fn lift(tx: &mut Tx, id: UserId) -> Result<bool> {
    tx.exec(LIFT, args![id]).await.map(|rows| rows > 0)
}

/// Makes the user nobody, and his address and name free.
pub(super) async fn erase(tx: &mut Tx, id: UserId, now: Timestamp) -> Result<()> {
    // Neither an address nor the key of a name can hold a control character.
    let key = format!("\u{1}{}", id.0);
    tx.exec(ERASE, args![now, false, &key, &key, id]).await.map(drop)
}

/// Users who were erased before, the longest ago first.
pub(crate) async fn erased_before(r: &mut impl Reader, time: Timestamp, limit: i64) -> Result<Vec<UserId>> {
    let rows: Vec<(UserId,)> = r.fetch(ERASED_BEFORE, args![time, limit]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Deletes the row of an erased user, who has nothing left but perhaps staged images; then it stays. Tells whether it went.
pub(crate) async fn delete(tx: &mut Tx, id: UserId) -> Result<bool> {
    tx.exec(DELETE, args![id]).await.map(|rows| rows > 0)
}

pub(super) async fn begin(
    tx: &mut Tx,
    user: UserId,
    family_hash: &str,
    now: Timestamp,
    expires: Timestamp,
) -> Result<LoginId> {
    tx.insert(BEGIN, args![user, family_hash, now, now, expires]).await.map(LoginId)
}

/// Ends the user's oldest log-ins, but for the newest so many.
pub(super) async fn end_surplus(tx: &mut Tx, user: UserId, most: i64) -> Result<()> {
    let surplus: Option<(LoginId,)> = tx.fetch_optional(SURPLUS, args![user, most]).await?;
    match surplus {
        Some((newest,)) => tx.exec(END_SURPLUS, args![user, newest]).await.map(drop),
        None => Ok(()),
    }
}

/// A log-in whose user may use it; locked from here on.
pub(super) async fn lock_family(tx: &mut Tx, family_hash: &str, now: Timestamp) -> Result<Option<Family>> {
    tx.exec(LOCK_FAMILY, args![family_hash]).await?;
    tx.fetch_optional(FAMILY, args![family_hash, now]).await
}

/// The log-in lasts on, if it has not ended meanwhile.
pub(super) async fn prolong(tx: &mut Tx, id: LoginId, now: Timestamp, expires: Timestamp) -> Result<()> {
    tx.exec(PROLONG, args![now, expires, id]).await.map(drop)
}

pub(super) async fn rotate(
    tx: &mut Tx,
    id: LoginId,
    generation: i64,
    now: Timestamp,
    expires: Timestamp,
) -> Result<()> {
    tx.exec(ROTATE, args![generation, now, expires, id]).await.map(drop)
}

pub(super) async fn end(tx: &mut Tx, id: LoginId) -> Result<()> {
    tx.exec(END, args![id]).await.map(drop)
}

/// Ends the log-in of a family if it is this user's.
pub(super) async fn end_family(tx: &mut Tx, family_hash: &str, user: UserId) -> Result<()> {
    tx.exec(END_FAMILY, args![family_hash, user]).await.map(drop)
}

/// Ends the log-in of a browser, whoever's it was.
pub(super) async fn end_browser(tx: &mut Tx, family_hash: &str) -> Result<()> {
    tx.exec(END_BROWSER, args![family_hash]).await.map(drop)
}

pub(super) async fn end_others(tx: &mut Tx, user: UserId, but: LoginId) -> Result<()> {
    tx.exec(END_OTHERS, args![user, but]).await.map(drop)
}

pub(crate) async fn end_all(tx: &mut Tx, user: UserId) -> Result<()> {
    tx.exec(END_ALL, args![user]).await.map(drop)
}

/// Log-ins whose time is over, the oldest first.
pub(super) async fn expired(r: &mut impl Reader, now: Timestamp, limit: i64) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = r.fetch(EXPIRED, args![now, limit]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Ends those of the log-ins that were not prolonged meanwhile.
pub(super) async fn end_expired(tx: &mut Tx, ids: &[i64], now: Timestamp) -> Result<u64> {
    tx.exec(END_EXPIRED, args![list(ids), now]).await
}

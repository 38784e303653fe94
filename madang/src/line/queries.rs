//! All SQL of the chat in LINE.

use greenlit::{Reader, Result, Tx, args, list};

use super::event::Event;
use crate::{
    account::{LoginId, UserId},
    clock::Timestamp,
};

crate::statements! {
    TAKEN = "select event_id from line_events where event_id in (?*)";
    TAKE = "insert into line_events (event_id, line_id, waiting_dt, create_dt) values (?, ?, ?, ?)";
    // What happened in a chat before something else, and has not been seen to; but for what has kept it waiting for long.
    EARLIER = "select event_id from line_events where line_id = ? and waiting_dt < ? and create_dt > ? limit 1";
    SEE_TO = "update line_events set waiting_dt = null where event_id = ?";
    OLD_EVENTS = "select event_id from line_events where create_dt < ? order by create_dt limit ?";
    DELETE_EVENTS = "delete from line_events where event_id in (?*)";

    CHAT = "select language, is_friend from line_chats where line_id = ?";
    INSERT_CHAT = "insert into line_chats (line_id, language, is_friend, friend_dt) values (?, ?, ?, 0)";
    SET_LANGUAGE = "update line_chats set language = case when ? = '' then language else ? end where line_id = ?";
    DELETE_CHAT_OF = "delete from line_chats where line_id in (select l.line_id from line_links l where l.user_id = ?)";
    SET_FRIEND = "update line_chats set is_friend = ?, friend_dt = ? where line_id = ? and friend_dt < ?";

    LOCK_LINK = "update line_links set told = told where line_id = ?";
    LINK = "select user_id, line_id, create_dt, told, told_dt, draft from line_links where line_id = ?";
    LINK_OF = "select user_id, line_id, create_dt, told, told_dt, draft from line_links where user_id = ?";
    INSERT_LINK = "insert into line_links (user_id, line_id, create_dt, told, told_dt) values (?, ?, ?, ?, 0)";
    DELETE_LINK = "delete from line_links where user_id = ?";
    SET_DRAFT = "update line_links set draft = ?, draft_dt = ? where user_id = ?";
    FORGET_DRAFTS = "update line_links set draft = null, draft_dt = null where draft_dt < ?";
    SET_TOLD = "update line_links set told = ?, told_dt = ? where user_id = ? and told < ?";
    TAKE_BACK_TOLD = "update line_links set told = ?, told_dt = 0 where user_id = ? and line_id = ? and told = ?";

    INSERT_TOKEN = "insert into line_link_tokens (token_hash, line_id, display_name, expire_dt) values (?, ?, ?, ?)";
    TOKEN = "select line_id, display_name from line_link_tokens where token_hash = ? and expire_dt > ?";
    DELETE_TOKEN = "delete from line_link_tokens where token_hash = ?";
    OLD_TOKENS = "select token_hash from line_link_tokens where expire_dt <= ? order by expire_dt limit ?";
    DELETE_TOKENS = "delete from line_link_tokens where token_hash in (?*)";

    INSERT_NONCE = "insert into line_nonces (nonce_hash, user_id, login_id, line_id, expire_dt) values (?, ?, ?, ?, ?)";
    // Of a user who may use the board, by a log-in that lasts; one that was ended has taken it along.
    NONCE = "select n.user_id, n.line_id, n.expire_dt from line_nonces n join users u on u.id = n.user_id \
             join logins l on l.id = n.login_id where n.nonce_hash = ? and l.expire_dt > ? \
             and u.suspended_dt is null and u.erased_dt is null";
    DELETE_NONCE = "delete from line_nonces where nonce_hash = ?";
    DELETE_NONCES_OF = "delete from line_nonces where user_id = ?";
    OLD_NONCES = "select nonce_hash from line_nonces where expire_dt <= ? order by expire_dt limit ?";
    DELETE_NONCES = "delete from line_nonces where nonce_hash in (?*)";
}

/// Those of the events that were taken before.
pub(super) async fn taken(r: &mut impl Reader, ids: &[String]) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = r.fetch(TAKEN, args![list(ids)]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub(super) async fn take(tx: &mut Tx, event: &Event, now: Timestamp) -> Result<()> {
    let waiting = event.user.is_some().then(|| event.sent());
    tx.exec(TAKE, args![&event.id, event.user.as_deref(), waiting, now]).await.map(drop)
}

/// Notes something that an event has told, so that it is known as long as events are.
pub(super) async fn note(tx: &mut Tx, what: &str, now: Timestamp) -> Result<()> {
    tx.exec(TAKE, args![what, None::<&str>, None::<Timestamp>, now]).await.map(drop)
}

/// Whether something that happened in the chat before has not been seen to; unless it was taken before this time.
pub(super) async fn has_earlier(r: &mut impl Reader, line_id: &str, sent: Timestamp, since: Timestamp) -> Result<bool> {
    Ok(r.fetch_optional::<(String,)>(EARLIER, args![line_id, sent, since]).await?.is_some())
}

/// The event keeps no other waiting.
pub(super) async fn see_to(tx: &mut Tx, id: &str) -> Result<()> {
    tx.exec(SEE_TO, args![id]).await.map(drop)
}

/// Forgets events that were taken before, some at a time; returns how many.
pub(super) async fn forget_events(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<usize> {
    forget(tx, [OLD_EVENTS, DELETE_EVENTS], before, limit).await
}

/// A chat: its language, and whether we may write there by ourselves.
#[derive(Clone, Debug, greenlit::FromRow)]
pub(super) struct Chat {
    pub(super) language: String,
    pub(super) is_friend: bool,
}

pub(super) async fn chat(r: &mut impl Reader, line_id: &str) -> Result<Option<Chat>> {
    r.fetch_optional(CHAT, args![line_id]).await
}

/// Notes a chat's language, which is empty if it is not known, and the chat if it is new.
pub(super) async fn remember_chat(tx: &mut Tx, line_id: &str, language: &str) -> Result<()> {
    if tx.exec(SET_LANGUAGE, args![language, language, line_id]).await? == 0 {
        // Another event of this chat may note it at the same time.
        let insert = async |tx: &mut Tx| tx.exec(INSERT_CHAT, args![line_id, language, true]).await;
        match tx.savepoint(insert).await {
            Err(e) if e.unique().is_none() => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// Notes whether we may write there, unless something later said so before. Tells whether it was news.
pub(super) async fn set_friend(tx: &mut Tx, line_id: &str, is_friend: bool, at: i64) -> Result<bool> {
    tx.exec(SET_FRIEND, args![is_friend, at, line_id, at]).await.map(|rows| rows > 0)
}

/// Whose chat it is.
#[derive(Clone, Debug, greenlit::FromRow)]
pub(super) struct Link {
    pub(super) user_id: UserId,
    pub(super) line_id: String,
    pub(super) create_dt: Timestamp,
    /// Up to which version of the inbox he knows everything.
    pub(super) told: i64,
    /// When he was told last.
    pub(super) told_dt: Timestamp,
    /// What he is writing, as JSON.
    pub(super) draft: Option<String>,
}

pub(super) async fn link(r: &mut impl Reader, line_id: &str) -> Result<Option<Link>> {
    r.fetch_optional(LINK, args![line_id]).await
}

/// The same, locked from here on.
pub(super) async fn lock_link(tx: &mut Tx, line_id: &str) -> Result<Option<Link>> {
    tx.exec(LOCK_LINK, args![line_id]).await?;
    link(tx, line_id).await
}

pub(super) async fn link_of(r: &mut impl Reader, user: UserId) -> Result<Option<Link>> {
    r.fetch_optional(LINK_OF, args![user]).await
}

pub(super) async fn insert_link(tx: &mut Tx, user: UserId, line_id: &str, now: Timestamp, told: i64) -> Result<()> {
    tx.exec(INSERT_LINK, args![user, line_id, now, told]).await.map(drop)
}

/// Forgets the user's chat, with all that is known of it.
pub(super) async fn delete_chat_of(tx: &mut Tx, user: UserId) -> Result<()> {
    tx.exec(DELETE_CHAT_OF, args![user]).await.map(drop)
}

/// Tells whether there was one.
pub(super) async fn delete_link(tx: &mut Tx, user: UserId) -> Result<bool> {
    tx.exec(DELETE_LINK, args![user]).await.map(|rows| rows > 0)
}

/// What he is writing, and since when it is so; or nothing any more.
pub(super) async fn set_draft(tx: &mut Tx, user: UserId, draft: Option<(&str, Timestamp)>) -> Result<()> {
    let (text, now) = draft.unzip();
    tx.exec(SET_DRAFT, args![text, now, user]).await.map(drop)
}

/// Forgets what nobody has gone on writing since.
pub(super) async fn forget_drafts(tx: &mut Tx, before: Timestamp) -> Result<()> {
    tx.exec(FORGET_DRAFTS, args![before]).await.map(drop)
}

/// Notes up to which version he knows everything; tells whether that is news.
pub(super) async fn set_told(tx: &mut Tx, user: UserId, told: i64, now: Timestamp) -> Result<bool> {
    tx.exec(SET_TOLD, args![told, now, user, told]).await.map(|rows| rows > 0)
}

/// He has not been told from the first version to the second after all, if he has been told no more; tells whether that is so.
pub(super) async fn take_back_told(tx: &mut Tx, user: UserId, line_id: &str, from: i64, to: i64) -> Result<bool> {
    tx.exec(TAKE_BACK_TOLD, args![from, user, line_id, to]).await.map(|rows| rows > 0)
}

pub(super) async fn insert_token(
    tx: &mut Tx,
    hash: &str,
    line_id: &str,
    display_name: &str,
    expires: Timestamp,
) -> Result<()> {
    tx.exec(INSERT_TOKEN, args![hash, line_id, display_name, expires]).await.map(drop)
}

/// In which chat the token was asked for, and what its owner is called there.
pub(super) async fn token(r: &mut impl Reader, hash: &str, now: Timestamp) -> Result<Option<(String, String)>> {
    r.fetch_optional(TOKEN, args![hash, now]).await
}

/// Tells whether there was one.
pub(super) async fn delete_token(tx: &mut Tx, hash: &str) -> Result<bool> {
    tx.exec(DELETE_TOKEN, args![hash]).await.map(|rows| rows > 0)
}

/// The only nonce of a user from now on.
pub(super) async fn insert_nonce(
    tx: &mut Tx,
    hash: &str,
    (user, login): (UserId, LoginId),
    line_id: &str,
    expires: Timestamp,
) -> Result<()> {
    tx.exec(DELETE_NONCES_OF, args![user]).await?;
    tx.exec(INSERT_NONCE, args![hash, user, login, line_id, expires]).await.map(drop)
}

/// Who agreed to link which chat, and until when that is good. It is good once.
pub(super) async fn use_nonce(tx: &mut Tx, hash: &str, now: Timestamp) -> Result<Option<(UserId, String, Timestamp)>> {
    let found = tx.fetch_optional(NONCE, args![hash, now]).await?;
    // Whoever is second finds it and does not delete it.
    let used = tx.exec(DELETE_NONCE, args![hash]).await? > 0;
    Ok(found.filter(|_| used))
}

/// Removes what of the way to a link has expired, some at a time.
pub(super) async fn forget_ways(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<()> {
    forget(tx, [OLD_TOKENS, DELETE_TOKENS], before, limit).await?;
    forget(tx, [OLD_NONCES, DELETE_NONCES], before, limit).await.map(drop)
}

async fn forget(tx: &mut Tx, [find, delete]: [&'static str; 2], before: Timestamp, limit: i64) -> Result<usize> {
    let rows: Vec<(String,)> = tx.fetch(find, args![before, limit]).await?;
    let names: Vec<String> = rows.into_iter().map(|(name,)| name).collect();
    if !names.is_empty() {
        tx.exec(delete, args![list(&names)]).await?;
    }
    Ok(names.len())
}

//! How a chat becomes a user's: he asks for it in the chat, agrees to it on the board with his password, and comes back by LINE,
//! which makes sure that it is he who chats.
//!
//! <https://developers.line.biz/en/docs/messaging-api/linking-accounts/>

use std::time::Duration;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use greenlit::{Opts, Tx};
use serde_json::Value;

use super::{Line, chat::Chat, client, message, queries};
use crate::{
    account::{self, Actor},
    app::App,
    error::{Code, Error, Result},
    jobs::Failure,
    notification,
    secret::{self, hex},
};

/// How long LINE's token is good, and our nonce.
const GOOD_FOR: Duration = Duration::from_secs(10 * 60);
/// How long whoever is late for either is told so.
pub(super) const TOLD_FOR: Duration = Duration::from_secs(60 * 60);
/// Where LINE asks whether the account shall be linked.
const DIALOG: &str = "https://access.line.me/dialog/bot/accountLink";
/// Keeps these hashes apart from others.
const PURPOSE: &[u8] = b"madang:line:";
/// Our page that leads there.
pub(super) const PAGE: &str = "/line/link";
/// UTF-16 units of a name, which LINE has shorter.
const LONGEST_NAME: usize = 100;
/// LINE's tokens are shorter.
const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 1..=255;

/// What LINE gave for whoever wants to link his account.
pub(super) struct Way {
    token: String,
    display_name: String,
}

/// Asks LINE for a way; none if the chat is somebody's already, or LINE has none for whoever chats, or not now.
pub(super) async fn way(app: &App, line: &Line, line_id: &str) -> greenlit::Result<Option<Way>> {
    if queries::link(&mut app.db.single(), line_id).await?.is_some() {
        return Ok(None);
    }
    Ok(ask(line, line_id).await.unwrap_or_else(|e| {
        tracing::warn!(cause = %e, "LINE gives no way to link an account");
        None
    }))
}

async fn ask(line: &Line, line_id: &str) -> std::result::Result<Option<Way>, client::Failure> {
    let Some(profile) = line.client.profile(line_id).await? else { return Ok(None) };
    let token = line.client.link_token(line_id).await?;
    Ok(Some(Way { token, display_name: shown(&profile.display_name) }))
}

/// A name that anybody gave himself, as it may be kept and shown.
fn shown(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    message::cut(&name, LONGEST_NAME).into_owned()
}

/// Offers the way that was found.
pub(super) async fn offer(chat: &Chat<'_>, tx: &mut Tx) -> std::result::Result<Vec<Value>, Failure> {
    if let Some((_, actor)) = chat.user(tx).await? {
        return Ok(vec![message::text(&chat.lang.named("line-already-linked", actor.nickname.as_str()))]);
    }
    let Some(way) = &chat.way else { return Ok(vec![chat.say("line-try-later")]) };
    queries::insert_token(tx, &hash(&way.token), chat.line_id, &way.display_name, chat.now.after(GOOD_FOR)).await?;
    let token = percent_encoding::utf8_percent_encode(&way.token, percent_encoding::NON_ALPHANUMERIC);
    let url = format!("{}{PAGE}?linkToken={token}", chat.app.site.url);
    Ok(vec![message::link_button(chat.lang, &url)])
}

/// What the owner of the chat for which this token was asked is called at LINE.
///
/// # Errors
/// 404 if nobody asked for it, or too long ago.
pub(super) async fn asked_by(app: &App, token: &str) -> Result<String> {
    if !TOKEN_LENGTH.contains(&token.len()) {
        return Err(Code::NotFound.into());
    }
    let found = queries::token(&mut app.db.single(), &hash(token), app.clock.now()).await?;
    Ok(found.ok_or(Code::NotFound)?.1)
}

/// Agrees that the chat for which this token was asked becomes the user's, and returns the address that leads on to LINE. Its nonce
/// is good once, for ten minutes, and no longer than the log-in.
///
/// # Errors
/// 404 as [`asked_by`].
pub(super) async fn agree(app: &App, actor: &Actor, token: &str) -> Result<String> {
    let nonce = URL_SAFE_NO_PAD.encode(secret::random::<32>());
    let (token_hash, nonce_hash, now) = (hash(token), hash(&nonce), app.clock.now());
    let agree = async |tx: &mut Tx| {
        let (line_id, _) = queries::token(tx, &token_hash, now).await?.ok_or(Code::NotFound)?;
        if !queries::delete_token(tx, &token_hash).await? {
            return Err(Error::from(Code::NotFound));
        }
        queries::insert_nonce(tx, &nonce_hash, (actor.id, actor.login), &line_id, now.after(GOOD_FOR)).await?;
        Ok::<_, Error>(())
    };
    app.db.tx(Opts::default(), agree).await?;
    let encode = |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    Ok(format!("{DIALOG}?linkToken={}&nonce={}", encode(token), encode(&nonce)))
}

/// Somebody comes back from LINE: the chat becomes his who agreed to it, if it is the chat that he agreed to.
pub(super) async fn arrive(
    chat: &Chat<'_>,
    tx: &mut Tx,
    ok: bool,
    nonce: &str,
) -> std::result::Result<Vec<Value>, Failure> {
    // Good once, however it ends.
    let agreed = queries::use_nonce(tx, &hash(nonce), chat.now).await?;
    let Some((user, line_id, expires)) = agreed.filter(|_| ok) else { return Ok(vec![chat.say("line-link-failed")]) };
    if expires <= chat.now {
        return Ok(vec![chat.say("line-link-expired")]);
    }
    if line_id != chat.line_id {
        return Ok(vec![chat.say("line-link-failed")]);
    }
    let Some(actor) = account::acting(tx, user).await? else { return Ok(vec![chat.say("line-link-failed")]) };
    if queries::link(tx, chat.line_id).await?.is_some_and(|link| link.user_id != user) {
        return Ok(vec![chat.say("line-link-failed")]);
    }
    // First the inbox, as everybody locks them.
    notification::carry_outside(tx, user, true).await?;
    let told = notification::called(tx, user).await?.unwrap_or_default();
    // He may have had another chat before.
    queries::delete_link(tx, user).await?;
    queries::insert_link(tx, user, chat.line_id, chat.now, told).await?;
    let linked = chat.lang.named("line-linked", actor.nickname.as_str());
    Ok(vec![chat.with_help(message::text(&linked))])
}

/// The chat becomes nobody's again.
pub(super) async fn unlink(chat: &Chat<'_>, tx: &mut Tx) -> std::result::Result<Vec<Value>, Failure> {
    let Some(link) = queries::link(tx, chat.line_id).await? else { return Ok(vec![chat.not_linked()]) };
    super::unlink(tx, link.user_id).await?;
    Ok(vec![chat.with_help(chat.say("line-unlinked"))])
}

fn hash(secret: &str) -> String {
    hex(digest::digest(&digest::SHA256, &[PURPOSE, secret.as_bytes()].concat()).as_ref())
}

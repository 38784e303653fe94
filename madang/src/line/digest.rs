//! Notifications in a chat: what is unread, together, and not too often.

use std::time::Duration;

use greenlit::{Opts, Read, Tx};

use super::{
    Line, message, queries, quota,
    say::{self, Told},
};
use crate::{
    account::{self, UserId},
    app::App,
    jobs::Failure,
    notification::{self, Notification, OUTSIDE, Outside},
    web::Lang,
};

/// How long after one message the next may come.
const REST: Duration = Duration::from_secs(10 * 60);
/// How soon LINE is asked again how many messages are left.
const QUOTA_PAUSE: Duration = Duration::from_secs(5 * 60);
/// How many notifications a message tells of.
const MOST: i64 = 10;
/// Units of a feed's title in it.
const MOST_TITLE: usize = 60;

/// Tells a user in his chat what he has not read on the board meanwhile. What one message tells is fixed with the job that
/// pushes it, so that the next goes on behind it, whatever becomes of that.
pub(super) async fn carry(app: &App, outside: Outside) -> Result<(), Failure> {
    let user = UserId(outside.user);
    let find = async |r: &mut Read| {
        let link = queries::link_of(r, user).await?;
        Ok::<_, greenlit::Error>((link, account::acting(r, user).await?.is_some()))
    };
    let (link, may_act) = app.db.read(Opts::default(), find).await?;
    let (Some(line), Some(link), true) = (&app.line, link, may_act) else {
        // Nobody to tell, or nobody to tell it by: he may be called again.
        app.db.tx(Opts::default(), async |tx: &mut Tx| notification::called(tx, user).await).await?;
        return Ok(());
    };
    if let Some(pause) = pause(app, line, &link).await? {
        let again = async |tx: &mut Tx| tx.outbox_after(pause, OUTSIDE, &outside).await;
        app.db.tx(Opts::default(), again).await?;
        return Ok(());
    }
    let tell = async |tx: &mut Tx| {
        // Whatever happens from here on calls again.
        let Some(version) = notification::called(tx, user).await? else { return Ok(()) };
        let Some(link) = queries::lock_link(tx, &link.line_id).await?.filter(|link| link.user_id == user) else {
            return Ok(());
        };
        let news = notification::outside(tx, user, link.told, version, MOST + 1).await?;
        if !queries::set_told(tx, user, version, app.clock.now()).await? || news.is_empty() {
            return Ok(());
        }
        // Whoever has blocked the account wants to hear nothing, and nothing of it later either.
        let chat = queries::chat(tx, &link.line_id).await?;
        if let Some(chat) = chat.filter(|chat| chat.is_friend) {
            let lang = Lang::parse(&chat.language).unwrap_or(Lang::English);
            let told = Told { user: user.0, from: link.told, to: version };
            say::push_later(app, tx, &link.line_id, vec![digest(app, lang, &news)], Some(told)).await?;
        }
        Ok::<_, greenlit::Error>(())
    };
    Ok(app.db.tx(Opts::default(), tell).await?)
}

/// He has not been told after all, since there are no messages left: he will be when there are others.
pub(super) async fn give_back(app: &App, line_id: &str, told: Told) -> Result<(), Failure> {
    let user = UserId(told.user);
    let until = quota::until_next_month(app.clock.now());
    let give_back = async |tx: &mut Tx| {
        notification::call_after(tx, user, until).await?;
        queries::take_back_told(tx, user, line_id, told.from, told.to).await
    };
    app.db.tx(Opts::default(), give_back).await?;
    Ok(())
}

/// How long he is not to be told anything.
async fn pause(app: &App, line: &Line, link: &queries::Link) -> Result<Option<Duration>, Failure> {
    let now = app.clock.now();
    let rested = link.told_dt.after(REST);
    if now < rested {
        return Ok(Some(Duration::from_micros(u64::try_from(rested.0 - now.0).unwrap_or_default())));
    }
    let look = async |r: &mut Read| {
        let is_friend = queries::chat(r, &link.line_id).await?.is_some_and(|chat| chat.is_friend);
        Ok::<_, greenlit::Error>(
            is_friend && !notification::outside(r, link.user_id, link.told, i64::MAX, 1).await?.is_empty(),
        )
    };
    if !app.db.read(Opts::default(), look).await? {
        return Ok(None); // which costs no message
    }
    // While LINE does not say how many there are, none is sent: there may be none.
    Ok(quota::wait(line, now).await.unwrap_or_else(|e| {
        tracing::warn!(cause = %e, "notifications wait until LINE says how many messages are left");
        Some(QUOTA_PAUSE)
    }))
}

/// One message of all of them, with the places where they are to be seen.
pub(super) fn digest(app: &App, lang: Lang, news: &[Notification]) -> serde_json::Value {
    let mut text = lang.t("line-notifications-title").into_owned();
    let (told, more) = news.split_at(news.len().min(MOST as usize));
    for notification in told {
        text.push_str("\n\n· ");
        text.push_str(&notification::sentence(lang, notification));
        if let Some(title) = &notification.feed_title {
            text.push_str(&format!("\n  {}", message::cut(title, MOST_TITLE)));
        }
        text.push_str(&format!("\n  {}{}", app.site.url, notification::place(notification)));
    }
    if !more.is_empty() {
        text.push_str(&format!("\n\n{}\n  {}/notifications", lang.t("line-notifications-more"), app.site.url));
    }
    message::text(&text)
}

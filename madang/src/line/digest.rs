//! Notifications in a chat: what is unread, together, and not too often.

use std::time::Duration;

use greenlit::{Opts, Read, Tx};

use super::{Line, message, queries, quota, say};
use crate::{
    account::{self, UserId},
    app::App,
    jobs::Failure,
    notification::{self, Notification, OUTSIDE, Outside},
    web::Lang,
};

/// How long after one message the next may come.
const REST: Duration = Duration::from_secs(10 * 60);
/// How many notifications a message tells of.
const MOST: i64 = 10;

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
        let news = notification::outside(tx, user, link.told, version, MOST).await?;
        if !queries::set_told(tx, user, version, app.clock.now()).await? || news.is_empty() {
            return Ok(());
        }
        let chat = queries::chat(tx, &link.line_id).await?;
        if let Some(chat) = chat.filter(|chat| chat.is_friend) {
            let lang = Lang::parse(&chat.language).unwrap_or(Lang::English);
            say::push_later(app, tx, &link.line_id, vec![digest(app, lang, &news)]).await?;
        }
        Ok::<_, greenlit::Error>(())
    };
    Ok(app.db.tx(Opts::default(), tell).await?)
}

/// How long he is not to be told anything.
async fn pause(app: &App, line: &Line, link: &queries::Link) -> Result<Option<Duration>, Failure> {
    let now = app.clock.now();
    let rested = link.told_dt.after(REST);
    if now < rested {
        return Ok(Some(Duration::from_micros(u64::try_from(rested.0 - now.0).unwrap_or_default())));
    }
    let unread = async |r: &mut Read| notification::outside(r, link.user_id, link.told, i64::MAX, 1).await;
    if app.db.read(Opts::default(), unread).await?.is_empty() {
        return Ok(None); // which costs no message
    }
    Ok(quota::wait(line, now).await?)
}

/// One message of all of them, with the places where they are to be seen.
pub(super) fn digest(app: &App, lang: Lang, news: &[Notification]) -> serde_json::Value {
    let mut text = lang.t("line-notifications-title").into_owned();
    for notification in news {
        text.push_str("\n\n· ");
        text.push_str(&notification::sentence(lang, notification));
        if let Some(title) = &notification.feed_title {
            text.push_str(&format!("\n  {}", message::cut(title, 60)));
        }
        text.push_str(&format!("\n  {}{}", app.site.url, notification::place(notification)));
    }
    message::text(&text)
}

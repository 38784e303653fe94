//! What everybody sees: (a) and (b).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    Breach, Failure,
    client::{Client, path_of},
    history::{Feed, History, content_of},
    pictures,
};

/// Compares all feeds of a board, with the bytes of all their images, with the history. What a user who erased himself left
/// may still be there.
///
/// # Errors
/// The board does not answer.
pub async fn look_at(client: &Client, history: &History) -> Result<Vec<Breach>, Failure> {
    let mut breaches = Vec::new();
    let mut seen = BTreeSet::new();
    for shown in all_feeds(client).await? {
        let (id, author) = (shown["id"].as_i64().unwrap_or_default(), shown["author_id"].as_i64().unwrap_or_default());
        seen.insert(id);
        match history.feeds.get(&id) {
            Some(feed) => breaches.extend(compare(client, &shown, feed).await?),
            None if history.users.get(&author).is_some_and(|user| user.erased) => {}
            None => {
                breaches.push(Breach::new('a', format!("nobody was told of this feed, or it was deleted: {shown}")))
            }
        }
    }
    let lost = history.feeds.iter().filter(|(id, _)| !seen.contains(id));
    breaches.extend(lost.map(|(id, feed)| Breach::new('a', format!("feed {id} is lost: {feed:?}"))));
    Ok(breaches)
}

/// Every feed, page after page.
///
/// # Errors
/// The board does not answer.
pub(super) async fn all_feeds(client: &Client) -> Result<Vec<Value>, Failure> {
    let (mut feeds, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/feed/list?limit=100{cursor}")).await.ok_or("the list is not answered")?;
        let page = page.json();
        feeds.extend(page["feeds"].as_array().ok_or("no list of feeds")?.iter().cloned());
        match page["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(feeds),
        }
    }
}

/// Compares a feed as it is shown with what it must be.
pub(super) async fn compare(client: &Client, shown: &Value, feed: &Feed) -> Result<Vec<Breach>, Failure> {
    let mut breaches = Vec::new();
    let Feed { title, images, author } = feed;
    let said = (&shown["title"], &shown["content"], &shown["author_id"]);
    if said != (&title.as_str().into(), &content_of(title).into(), &(*author).into()) {
        breaches.push(Breach::new('a', format!("{feed:?} is shown as {shown}")));
    }
    let no_images = Vec::new();
    let views = shown["images"].as_array().unwrap_or(&no_images);
    if views.len() != images.len() {
        breaches.push(Breach::new('a', format!("{feed:?} has other images: {shown}")));
    }
    for (view, (number, url)) in views.iter().zip(images) {
        let (shown_url, thumb) =
            (view["url"].as_str().unwrap_or_default(), view["thumb_url"].as_str().unwrap_or_default());
        // Not known of an image that was not acknowledged.
        if !url.is_empty() && url != shown_url {
            breaches.push(Breach::new('a', format!("{url} has another address: {shown_url}")));
        }
        match client.get(path_of(shown_url)).await {
            Some(answer) if answer.status == 200 && answer.body == pictures::served(*number)? => {}
            Some(answer) if answer.status == 200 => {
                breaches.push(Breach::new('a', format!("{shown_url} is not picture {number}")));
            }
            answer => {
                let status = answer.map(|answer| answer.status);
                breaches.push(Breach::new('b', format!("{shown_url} of {title:?} answers {status:?}")));
            }
        }
        let thumbnail = client.get(path_of(thumb)).await.map(|answer| answer.status);
        if thumbnail != Some(200) {
            breaches.push(Breach::new('b', format!("{thumb} of {title:?} answers {thumbnail:?}")));
        }
    }
    Ok(breaches)
}

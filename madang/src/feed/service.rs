//! What spans tables: feeds with their images. Takes the transaction, never commits.

use greenlit::{Reader, Tx};

use super::{
    model::{AuthorOrder, Change, Feed, FeedId, Order, Text},
    queries,
    view::{FeedImages, join},
};
use crate::{
    account::{self, Actor, UserId},
    app::App,
    error::{Code, Error, Problem, Result, Step},
    fault::{self, Point},
    media::{self, Image, Staged},
    paging::Window,
    totals,
};

/// Writes a feed and makes the staged images its own.
pub(crate) async fn create(
    app: &App,
    tx: &mut Tx,
    author: &Actor,
    text: &Text,
    staged: &[Staged],
) -> Result<FeedImages> {
    let now = app.clock.now();
    // The count first: it locks the row that the feed refers to.
    account::count_feeds(tx, author.id, 1).await?;
    let id = queries::insert(tx, author.id, text, now).await?;
    fault::point(Point::FeedInserted);
    totals::add(tx, totals::FEEDS, 1).await?;
    let images = media::claim(app, tx, author.id, id.0, 0, staged).await?;
    Ok(FeedImages { feed: Feed::new(id, author, text, now), images })
}

/// Changes a feed's text, removes the images that the change names, and appends the staged ones.
pub(super) async fn update(
    app: &App,
    tx: &mut Tx,
    author: UserId,
    id: FeedId,
    change: &Change,
    staged: &[Staged],
) -> Result<FeedImages> {
    // First, since it locks the row: what follows counts images, and must not count beside another update.
    queries::update(tx, id, author, &change.text, app.clock.now()).await?;
    fault::point(Point::FeedUpdated);
    let FeedImages { feed, images } = owned(tx, author, id).await?;
    let (removed, mut images) = split(app, images, &change.targets)?;
    if images.len() + staged.len() > media::IMAGES_PER_FEED {
        return Err(Code::TooManyImages.into());
    }
    media::remove(app, tx, &removed).await?;
    let first = images.last().map_or(0, |image| image.position + 1);
    images.extend(media::claim(app, tx, author, id.0, first, staged).await?);
    Ok(FeedImages { feed, images })
}

/// Deletes a feed with all that belongs to it, for its author or an administrator.
///
/// # Errors
/// 404 if there is none, 403 if it is another's.
pub(super) async fn delete(app: &App, tx: &mut Tx, actor: &Actor, id: FeedId) -> Result<()> {
    queries::lock(tx, id).await?;
    let found = queries::by_id(tx, id, actor.id).await?.ok_or(Code::FeedNotFound)?;
    let author = found.feed.author_id;
    if author != actor.id && !actor.is_admin {
        return Err(Code::PermissionDenied.into());
    }
    Ok(remove(app, tx, found).await?)
}

/// Deletes some of an author's feeds with all that belongs to them, the oldest first. Returns how many.
pub(crate) async fn delete_some_of(app: &App, tx: &mut Tx, author: UserId, limit: i64) -> greenlit::Result<usize> {
    let ids = queries::oldest_of(tx, author, limit).await?;
    for id in &ids {
        queries::lock(tx, *id).await?;
        if let Some(found) = queries::by_id(tx, *id, author).await? {
            remove(app, tx, found).await?;
        }
    }
    Ok(ids.len())
}

async fn remove(app: &App, tx: &mut Tx, found: FeedImages) -> greenlit::Result<()> {
    media::remove(app, tx, &found.images).await?;
    queries::delete(tx, found.feed.id).await?;
    fault::point(Point::FeedDeleted);
    account::count_feeds(tx, found.feed.author_id, -1).await?;
    totals::add(tx, totals::FEEDS, -1).await
}

/// A page of the newest feeds with their images, and the cursor of the next one.
pub(crate) async fn newest(
    r: &mut impl Reader,
    window: Window,
    list: &str,
    viewer: UserId,
) -> greenlit::Result<(Vec<FeedImages>, Option<String>)> {
    let mut feeds = queries::page(r, Order::CreateDesc, window, viewer).await?;
    let next = window.next_cursor(&mut feeds, list, |feed| (feed.create_dt.0, feed.id.0));
    let ids: Vec<i64> = feeds.iter().map(|feed| feed.id.0).collect();
    let images = media::of_feeds(r, &ids).await?;
    Ok((join(feeds, images), next))
}

/// A page of one author's feeds with their images, the cursor of the next one, and how many he has.
pub(crate) async fn page_of(
    r: &mut impl Reader,
    author: UserId,
    order: AuthorOrder,
    window: Window,
    list: &str,
    viewer: UserId,
) -> greenlit::Result<(Vec<FeedImages>, Option<String>, i64)> {
    let mut feeds = queries::page_of(r, author, order, window, viewer).await?;
    let next = window.next_cursor(&mut feeds, list, |feed| (order.value(feed), feed.id.0));
    let (total, images) = queries::count_and_images(r, author, &feeds).await?;
    Ok((join(feeds, images), next, total))
}

/// The feed, if it is this author's.
///
/// # Errors
/// 404 if there is none, 403 if it is another's.
pub(super) async fn owned(r: &mut impl Reader, author: UserId, id: FeedId) -> Result<FeedImages> {
    let found = queries::by_id(r, id, author).await?.ok_or(Code::FeedNotFound)?;
    if found.feed.author_id == author { Ok(found) } else { Err(Code::PermissionDenied.into()) }
}

/// Divides a feed's images into those that the targets name and the others.
///
/// # Errors
/// 422 if a target is not the address of an image of this feed.
pub(super) fn split(app: &App, images: Vec<Image>, targets: &[String]) -> Result<(Vec<Image>, Vec<Image>)> {
    let named = |image: &Image| targets.contains(&app.media.url(image));
    let (removed, kept): (Vec<Image>, Vec<Image>) = images.into_iter().partition(named);
    let unknown =
        targets.iter().enumerate().find(|(_, url)| !removed.iter().any(|image| app.media.url(image) == **url));
    match unknown {
        None => Ok((removed, kept)),
        Some((at, _)) => Err(Error::invalid(vec![Problem {
            kind: "value_error",
            loc: vec![Step::Name("body"), Step::Name("target_image_urls"), Step::Index(at)],
            msg: "Value error, Not an image of this feed".to_owned(),
            input: serde_json::Value::Null,
        }])),
    }
}

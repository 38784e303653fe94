//! The floor: the routes of the board on axum and the bare drivers, with the board's own statements. What a careful engineer
//! would write for this load alone: statements prepared once for each connection, sent together where one does not need the
//! other's answer, rows read into what is answered.

#[path = "../../peer/mod.rs"]
mod peer;

mod mariadb;
#[path = "../../../greenlit/src/drivers/pool.rs"]
mod pool;
mod postgres;
mod sqlite;

use peer::{Failure, Feed, Result, Time};

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).ok_or("usage: board-floor DATABASE-URL")?;
    match url.split_once(':') {
        Some(("sqlite", path)) => peer::serve(sqlite::Sqlite::open(path.as_ref())?).await,
        Some(("postgres", _)) => peer::serve(postgres::Postgres::open(&url).await?).await,
        Some(("mysql", _)) => peer::serve(mariadb::MariaDb::open(&url).await?).await,
        _ => Err(Failure::from("sqlite:PATH, postgres://... or mysql://...")),
    }
}

/// The columns of a feed.
type FeedRow = (i64, String, String, i64, String, String, i64, i64, i64, i64, bool);
/// Those of an image: feed, key, extension, position, width, height, width of its thumbnail.
type ImageRow = (i64, String, String, i64, i64, i64, Option<i64>);

/// A feed without its images, for somebody who does not see the author's address.
fn feed(row: FeedRow) -> Feed {
    let (id, title, content, author_id, _, author_nickname, create_dt, update_dt, like_count, comment_count, liked) = row;
    Feed {
        title,
        content,
        image_urls: Vec::new(),
        id,
        author_email: None,
        author_nickname,
        create_dt: Time(create_dt),
        update_dt: Time(update_dt),
        author_id,
        like_count,
        comment_count,
        liked,
        images: Vec::new(),
    }
}

/// Gives feeds their images.
fn join(feeds: &mut [Feed], images: impl IntoIterator<Item = ImageRow>) {
    for (feed, key, extension, _, width, height, thumb_width) in images {
        if let Some(feed) = feeds.iter_mut().find(|one| one.id == feed) {
            feed.add(&key, &extension, width, height, thumb_width);
        }
    }
}

//! What a board must hold.

use std::{collections::BTreeMap, io::Cursor};

use image::{ImageFormat, Rgb, RgbImage};
use madang::app::App;

use super::acts::Effect;

/// Wider pictures have a thumbnail.
const NARROW: u32 = 640;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Feed {
    pub(super) author: usize,
    /// Its images, which are known by their widths: no two of a board are equally wide.
    pub(super) widths: Vec<u32>,
}

/// All feeds, by the numbers that are their titles.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) feeds: BTreeMap<u32, Feed>,
    /// Of these users the feeds go, one after the other.
    pub(super) erased: [bool; 2],
}

impl Model {
    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::None => {}
            Effect::Create(title, feed) => drop(self.feeds.insert(*title, feed.clone())),
            Effect::Update { feed, removed, added } => {
                if let Some(feed) = self.feeds.get_mut(feed) {
                    feed.widths.retain(|width| !removed.contains(width));
                    feed.widths.extend(added);
                }
            }
            Effect::Delete(feed) => drop(self.feeds.remove(feed)),
            Effect::Erase(user) => self.erased[*user] = true,
        }
    }

    /// Whether these feeds are those of the model, each with its images in their order: all of them, but for those of erased
    /// users. Of images that were added at the same time, the order is not known.
    pub(super) fn allows(&self, seen: &BTreeMap<u32, Seen>) -> bool {
        let sorted = |widths: &[u32]| {
            let mut widths = widths.to_vec();
            widths.sort_unstable();
            widths
        };
        let known = |title: &u32, seen: &Seen| {
            self.feeds.get(title).is_some_and(|feed| sorted(&feed.widths) == sorted(&seen.widths()))
        };
        let missing = |title: &u32, feed: &Feed| seen.contains_key(title) || self.erased[feed.author];
        seen.iter().all(|(title, seen)| known(title, seen))
            && self.feeds.iter().all(|(title, feed)| missing(title, feed))
    }
}

/// A feed of the database, with the rows of its images.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) id: i64,
    pub(super) images: Vec<ImageRow>,
}

impl Seen {
    pub(super) fn widths(&self) -> Vec<u32> {
        self.images.iter().map(|image| u32::try_from(image.width).unwrap()).collect()
    }
}

#[derive(Clone, Debug, PartialEq, greenlit::FromRow)]
pub(super) struct ImageRow {
    pub(super) image_key: String,
    pub(super) extension: String,
    pub(super) width: i64,
    pub(super) thumb_width: Option<i64>,
    pub(super) thumb_height: Option<i64>,
}

pub(super) async fn see(app: &App) -> BTreeMap<u32, Seen> {
    let mut seen = BTreeMap::new();
    let feeds: Vec<(i64, String)> = app.db.fetch("select id, title from feeds", vec![]).await.unwrap();
    for (id, title) in feeds {
        let sql = "select image_key, extension, width, thumb_width, thumb_height from images \
                   where feed_id = ? order by position";
        let images = app.db.fetch(sql, greenlit::args![id]).await.unwrap();
        assert!(seen.insert(title.parse().unwrap(), Seen { id, images }).is_none(), "{title} is there twice");
    }
    seen
}

/// A picture of this width, with a colour of its own.
pub(super) fn picture(width: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Wide ones are large enough for their thumbnails to take a while, in which other things happen.
    let height = if width > NARROW { 300 } else { 2 };
    let image = RgbImage::from_pixel(width, height, colour(width));
    image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    bytes
}

pub(super) fn colour(width: u32) -> Rgb<u8> {
    Rgb([(width % 251) as u8, (width / 251) as u8, 99])
}

/// The width of the picture with this number.
pub(super) fn width(number: u32, wide: bool) -> u32 {
    assert!(number < NARROW, "there are no more narrow widths");
    number + if wide { NARROW + 1 } else { 1 }
}

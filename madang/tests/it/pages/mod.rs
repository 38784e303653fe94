//! The pages, as a browser without scripts uses them. What scripts add is tested in Chromium: `scripts/browser`.

mod cache;
mod forms;
mod journey;
mod languages;
mod log_ins;
mod security;
mod syndication;

use image::ImageFormat;

use crate::support::{Answer, pictures};

fn photo(width: u32, height: u32) -> Vec<u8> {
    pictures::picture(ImageFormat::Jpeg, width, height)
}

/// What stands in a page's element of this id, without markup.
fn text_of(page: &str, id: &str) -> String {
    let element = page.split(&format!("id=\"{id}\"")).nth(1).unwrap_or_else(|| panic!("no {id} in {page}"));
    let content = element.split_once('>').unwrap().1;
    content.split('<').next().unwrap().trim().to_owned()
}

/// The value of a hidden field.
fn value_of(page: &str, name: &str) -> String {
    let field =
        page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("no {name} in {page}"));
    field.split('"').next().unwrap().to_owned()
}

/// The number of the feed that a form has led to.
fn feed_of(answer: &Answer) -> i64 {
    answer.leads().strip_prefix("/feed/").unwrap().split('#').next().unwrap().parse().unwrap()
}

//! What programs read: Atom feeds, the site map, robots.txt.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use greenlit::{Opts, Read};

use super::parts::Photo;
use crate::{
    account::{Nickname, UserId},
    app::App,
    clock::Timestamp,
    error::{Code, Error, Result},
    feed::{model::AuthorOrder, queries, service, view::FeedImages},
    http::query::PathFields,
    markdown,
    paging::{Start, Window},
    web::{Frame, Pages},
};

/// How many feeds an Atom feed has.
const ENTRIES: i64 = 20;
/// How many the site map names: the newest.
const PLACES: i64 = 5_000;
/// How long a program may keep what it was told, in seconds.
const FRESH: &str = "public, max-age=300";

pub(super) fn pages() -> Pages<App> {
    Pages::new()
        .at("/feeds.atom", get(newest))
        .at("/user/{id}/feeds.atom", get(newest_of))
        .at("/sitemap.xml", get(sitemap))
        .at("/robots.txt", get(robots))
}

#[derive(Template)]
#[template(path = "feed/pages/atom.xml")]
struct Atom<'a> {
    frame: &'a Frame,
    title: String,
    /// The page that shows the same, and this one.
    page: String,
    own: String,
    updated: String,
    entries: Vec<Entry>,
}

struct Entry {
    url: String,
    title: String,
    author: String,
    author_url: String,
    created: String,
    updated: String,
    html: String,
}

impl Entry {
    fn new(app: &App, found: FeedImages) -> Entry {
        let photos: String = Photo::all(app, &found)
            .iter()
            .map(|photo| {
                let Photo { url, width, height, .. } = photo;
                format!("<p><img src=\"{url}\" alt=\"\" width=\"{width}\" height=\"{height}\"></p>")
            })
            .collect();
        let (feed, site) = (found.feed, &app.site.url);
        Entry {
            url: format!("{site}/feed/{}", feed.id.0),
            title: printable(&feed.title),
            author: printable(feed.author_nickname.as_str()),
            author_url: format!("{site}/user/{}", feed.author_id.0),
            created: feed.create_dt.to_string(),
            updated: feed.update_dt.to_string(),
            html: printable(&format!("{}{photos}", markdown::render(&feed.content))),
        }
    }
}

/// Without the characters that XML cannot have, however they are written (XML 1.0, production 2).
fn printable(text: &str) -> String {
    let fits =
        |c: &char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    text.chars().filter(fits).collect()
}

const FIRST: Window = Window { limit: ENTRIES, start: Start::Skip(0) };

async fn newest(State(app): State<App>, frame: Frame) -> Result<Response> {
    let page = async |r: &mut Read| service::newest(r, FIRST, "", UserId(0)).await;
    let (feeds, _) = app.db.read(Opts::default(), page).await?;
    atom(&app, &frame, frame.site.name.to_owned(), "/", feeds)
}

async fn newest_of(State(app): State<App>, frame: Frame, path: PathFields) -> Result<Response> {
    let mut fields = path.fields();
    let id = UserId(fields.id("id"));
    let id = fields.finish(id).map_err(|_| Code::UserNotFound)?;
    let page = async |r: &mut Read| {
        let nickname = crate::account::queries::nickname(r, id).await?;
        let (feeds, ..) = service::page_of(r, id, AuthorOrder::CreateDesc, FIRST, "", UserId(0)).await?;
        Ok::<_, greenlit::Error>(nickname.map(|nickname| (nickname, feeds)))
    };
    let (nickname, feeds) = app.db.read(Opts::default(), page).await?.ok_or(Code::UserNotFound)?;
    let title = format!("{} · {}", printable(Nickname::as_str(&nickname)), frame.site.name);
    atom(&app, &frame, title, &format!("/user/{}", id.0), feeds)
}

fn atom(app: &App, frame: &Frame, title: String, page: &str, feeds: Vec<FeedImages>) -> Result<Response> {
    let latest = feeds.iter().map(|found| found.feed.update_dt.0).max();
    let atom = Atom {
        frame,
        title,
        page: format!("{}{page}", app.site.url),
        own: format!("{}{}/feeds.atom", app.site.url, page.trim_end_matches('/')),
        // An empty one has been so since the beginning.
        updated: Timestamp(latest.unwrap_or_default()).to_string(),
        entries: feeds.into_iter().map(|found| Entry::new(app, found)).collect(),
    };
    told("application/atom+xml; charset=utf-8", atom.render().map_err(Error::internal)?)
}

async fn sitemap(State(app): State<App>) -> Result<Response> {
    let feeds = queries::newest_places(&mut app.db.single(), PLACES).await?;
    let site = &app.site.url;
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
    );
    text += &format!("<url><loc>{site}/</loc></url>\n");
    for (id, updated) in feeds {
        text += &format!("<url><loc>{site}/feed/{}</loc><lastmod>{updated}</lastmod></url>\n", id.0);
    }
    text += "</urlset>\n";
    told("application/xml; charset=utf-8", text)
}

/// What is one's own, or changes something, is not for robots.
async fn robots(State(app): State<App>) -> Result<Response> {
    let base = &app.site.base;
    let own = ["/api/", "/write", "/login", "/signup", "/my", "/settings", "/timeline", "/look"];
    let lines: String = own.iter().map(|path| format!("Disallow: {base}{path}\n")).collect();
    told("text/plain; charset=utf-8", format!("User-agent: *\n{lines}Sitemap: {}/sitemap.xml\n", app.site.url))
}

fn told(content_type: &'static str, text: String) -> Result<Response> {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(FRESH)),
    ];
    Ok((headers, text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w03_what_xml_cannot_have_is_left_out() {
        assert_eq!(printable("a\u{0}\u{1}b\u{b}\t\n\u{1b}[0m\u{fffe}가🍜"), "ab\t\n[0m가🍜");
    }
}

//! What every page needs to know: the site, the language, the colours, and who looks.

use std::{borrow::Cow, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, Uri, header, request::Parts},
};

use super::{
    assets,
    cache::Variant,
    cookie::{LANGUAGE, THEME},
    lang::Lang,
    redirect::local,
};
use crate::{app::App, clock::Timestamp};

/// How browsers reach the board.
#[derive(Clone, Debug)]
pub struct Site {
    /// As people call it.
    pub name: &'static str,
    /// The public URL, without a slash at the end.
    pub url: String,
    /// The path of the public URL, before every link: empty, or such as `/board`.
    pub base: String,
    /// Scheme, host and port of the public URL.
    pub origin: String,
    /// Whether it is reached by https.
    pub secure: bool,
    /// Whether the operator said so, or it is a guess from the address listened on.
    pub known: bool,
    /// The Content-Security-Policy of its pages.
    pub policy: HeaderValue,
}

impl Site {
    /// The board at this public URL, which was checked by the configuration. `images` is where images come from, if that is not
    /// the board itself.
    pub fn new(url: &str, known: bool, images: Option<&str>) -> Site {
        let (origin, base) = split(url);
        // As browsers write it.
        let usual = if url.starts_with("https://") { ":443" } else { ":80" };
        let origin = origin.strip_suffix(usual).unwrap_or(origin);
        Site {
            name: "Madang",
            url: url.to_owned(),
            base: base.to_owned(),
            origin: origin.to_owned(),
            secure: url.starts_with("https://"),
            known,
            policy: policy(images.map(|url| split(url).0)),
        }
    }

    /// The host, with its port if it has one, as a browser sends it.
    pub fn host(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, host)| host)
    }
}

/// Everything comes from the board, but perhaps images, and no script or style stands in a page itself.
fn policy(images: Option<&str>) -> HeaderValue {
    let images = images.map(|origin| format!(" {origin}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:{images}; connect-src 'self'; \
         manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// A URL's origin and path.
fn split(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    url.split_at(end)
}

/// The colours of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Theme {
    /// As the system has them.
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// All of them.
    pub const ALL: [Theme; 3] = [Theme::Auto, Theme::Light, Theme::Dark];

    /// As it stands in the setting.
    pub fn code(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The key of its name.
    pub fn key(self) -> &'static str {
        match self {
            Theme::Auto => "theme-auto",
            Theme::Light => "theme-light",
            Theme::Dark => "theme-dark",
        }
    }

    /// The theme of this code.
    pub fn parse(text: &str) -> Option<Theme> {
        Theme::ALL.into_iter().find(|theme| theme.code() == text)
    }
}

/// Who looks at a page, as far as its frame shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// His id.
    pub id: i64,
    /// His nickname.
    pub nickname: String,
}

/// What a page's frame shows. An extractor, with nobody in it: who looks is for a feature to find out.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its language.
    pub lang: Lang,
    /// The language that was chosen, unless it is the browser's.
    pub chosen: Option<Lang>,
    /// Its colours.
    pub theme: Theme,
    /// Where the board is.
    pub site: Arc<Site>,
    /// Who looks.
    pub me: Option<Me>,
    /// Path and query of the page, to come back to.
    pub here: String,
    /// The page from which it was asked for, if it is the board's and the browser says so.
    pub from: Option<String>,
    /// Whether one of our scripts asks, which wants JSON.
    pub json: bool,
    /// When it is made.
    pub now: Timestamp,
}

/// Language and colours, as a browser wants them.
pub fn variant(headers: &HeaderMap, secure: bool) -> Variant {
    let chosen = LANGUAGE.read(headers, secure).and_then(Lang::parse);
    let theme = THEME.read(headers, secure).and_then(Theme::parse);
    (chosen.unwrap_or_else(|| Lang::preferred(headers)), chosen, theme.unwrap_or(Theme::Auto))
}

impl Frame {
    /// For a request, from what a browser says of itself.
    pub fn new(site: Arc<Site>, method: &Method, headers: &HeaderMap, uri: &Uri, now: Timestamp) -> Frame {
        let from = referer(headers, &site).filter(|from| local(Some(from)) == *from).map(str::to_owned);
        // A form is sent to what cannot be looked at: one comes back to the page that it stands on.
        let here = match method.is_safe() {
            true => local(uri.path_and_query().map(|target| target.as_str())).to_owned(),
            false => from.clone().unwrap_or_else(|| "/".to_owned()),
        };
        let (lang, chosen, theme) = variant(headers, site.secure);
        Frame {
            lang,
            chosen,
            theme,
            me: None,
            here,
            from,
            json: accepts(headers, "application/json") && !accepts(headers, "text/html"),
            site,
            now,
        }
    }

    /// The same, seen by this user.
    #[must_use]
    pub fn seen_by(self, me: Option<Me>) -> Frame {
        Frame { me, ..self }
    }

    /// Whether this user looks.
    pub fn is(&self, user: i64) -> bool {
        self.me.as_ref().is_some_and(|me| me.id == user)
    }

    /// Whether this language was chosen.
    pub fn is_chosen(&self, lang: &Lang) -> bool {
        self.chosen.as_ref() == Some(lang)
    }

    /// What stands before every link.
    pub fn base(&self) -> &str {
        &self.site.base
    }

    /// A text: see [`Lang::t`].
    pub fn t(&self, key: &str) -> Cow<'static, str> {
        self.lang.t(key)
    }

    /// A text with a number: see [`Lang::n`].
    pub fn n(&self, key: &str, number: &i64) -> Cow<'static, str> {
        self.lang.n(key, *number)
    }

    /// A text with a name: see [`Lang::named`].
    pub fn named(&self, key: &str, name: &str) -> Cow<'static, str> {
        self.lang.named(key, name)
    }

    /// The address of a script, style or icon.
    pub fn asset(&self, name: &str) -> String {
        format!("{}{}/{name}", self.site.base, assets::folder())
    }

    /// The log-in page, which leads back here.
    pub fn log_in_url(&self) -> String {
        log_in_url(&self.site.base, &self.here)
    }

    /// The sign-up page, which leads back here too.
    pub fn sign_up_url(&self) -> String {
        self.log_in_url().replacen("/login?", "/signup?", 1)
    }

    /// A time as programs read it in HTML, which knows no more than milliseconds.
    pub fn machine(&self, time: &Timestamp) -> String {
        let text = time.to_string();
        format!("{}Z", text.split('.').next().unwrap_or_default())
    }

    /// How long ago it was, for those without scripts; after a week the day.
    pub fn ago(&self, time: &Timestamp) -> String {
        let seconds = self.now.seconds().saturating_sub(time.seconds()).max(0);
        let (key, number) = match seconds {
            0..60 => return self.t("time-now").into_owned(),
            60..3_600 => ("time-minutes", seconds / 60),
            3_600..86_400 => ("time-hours", seconds / 3_600),
            86_400..604_800 => ("time-days", seconds / 86_400),
            _ => return time.to_string().chars().take(10).collect(),
        };
        self.lang.n(key, number).into_owned()
    }
}

/// The log-in page that leads back to a place of the board.
pub fn log_in_url(base: &str, back: &str) -> String {
    let next = percent_encoding::utf8_percent_encode(back, percent_encoding::NON_ALPHANUMERIC);
    format!("{base}/login?next={next}")
}

/// Path and query of the page that a request comes from, if it is the board's: by its public URL, or by the host that is asked.
fn referer<'a>(headers: &'a HeaderMap, site: &Site) -> Option<&'a str> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let url = text(header::REFERER)?;
    let by_host = || url.split_once("://")?.1.strip_prefix(text(header::HOST)?);
    url.strip_prefix(&site.origin).or_else(by_host)?.strip_prefix(&site.base)
}

/// Whether this media type is named among those that are wanted.
pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|value| value.to_str().is_ok_and(|value| value.contains(media_type)))
}

impl FromRequestParts<App> for Frame {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Frame::new(app.site.clone(), &parts.method, &parts.headers, &parts.uri, app.clock.now()))
    }
}

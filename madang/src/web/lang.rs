//! Languages, and the words of the pages in each: `text/*.ftl`, in Fluent.

use std::{borrow::Cow, sync::LazyLock};

use axum::http::{HeaderMap, header};
use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lang {
    /// 한국어
    Korean,
    /// English, which whoever asks for none of ours gets.
    English,
    /// 日本語
    Japanese,
}

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<[Bundle; 3]> = LazyLock::new(|| Lang::ALL.map(Lang::bundle));

impl Lang {
    /// All of them.
    pub const ALL: [Lang; 3] = [Lang::Korean, Lang::English, Lang::Japanese];

    /// As it stands in `lang` attributes and in the setting.
    pub fn code(self) -> &'static str {
        match self {
            Lang::Korean => "ko",
            Lang::English => "en",
            Lang::Japanese => "ja",
        }
    }

    /// As OpenGraph writes it.
    pub fn locale(self) -> &'static str {
        match self {
            Lang::Korean => "ko_KR",
            Lang::English => "en_US",
            Lang::Japanese => "ja_JP",
        }
    }

    /// Its own name.
    pub fn name(self) -> &'static str {
        match self {
            Lang::Korean => "한국어",
            Lang::English => "English",
            Lang::Japanese => "日本語",
        }
    }

    /// The language of this code; of `ko-KR` too.
    pub fn parse(text: &str) -> Option<Lang> {
        let primary = text.split('-').next().unwrap_or_default();
        Lang::ALL.into_iter().find(|lang| lang.code().eq_ignore_ascii_case(primary))
    }

    /// The one of ours that the browser likes best (RFC 9110, section 12.5.4).
    pub fn preferred(headers: &HeaderMap) -> Lang {
        let values = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let wishes = values.flat_map(|value| value.split(',')).take(50).filter_map(|wish| {
            let (tag, weight) = wish.split_once(';').unwrap_or((wish, ""));
            let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.parse::<f32>().ok())?;
            Some((Lang::parse(tag.trim())?, weight)).filter(|(_, weight)| *weight > 0.0)
        });
        // Of those that are liked the same, the first.
        let best = wishes.reduce(|best, wish| if wish.1 > best.1 { wish } else { best });
        best.map_or(Lang::English, |(lang, _)| lang)
    }

    /// A text without parameters.
    pub fn t(self, key: &str) -> Cow<'static, str> {
        self.format(key, None).unwrap_or_else(|| Cow::Owned(key.to_owned()))
    }

    /// A text with a number in it.
    pub fn n(self, key: &str, number: i64) -> Cow<'static, str> {
        self.with(key, [("n", FluentValue::from(number))])
    }

    /// A text with a name or another text in it.
    pub fn named(self, key: &str, name: &str) -> Cow<'static, str> {
        self.with(key, [("name", FluentValue::from(name.to_owned()))])
    }

    /// A text with a name and a number in it.
    pub fn counted(self, key: &str, name: &str, number: i64) -> Cow<'static, str> {
        self.with(key, [("name", FluentValue::from(name.to_owned())), ("n", FluentValue::from(number))])
    }

    fn with<const N: usize>(self, key: &str, values: [(&'static str, FluentValue<'static>); N]) -> Cow<'static, str> {
        let args = FluentArgs::from_iter(values);
        let text = self.format(key, Some(&args)).map(Cow::into_owned);
        Cow::Owned(text.unwrap_or_else(|| key.to_owned()))
    }

    fn format<'a>(self, key: &str, args: Option<&'a FluentArgs<'_>>) -> Option<Cow<'a, str>> {
        let bundle: &'static Bundle = &BUNDLES[self as usize];
        let pattern = bundle.get_message(key)?.value()?;
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, args, &mut errors);
        debug_assert!(errors.is_empty(), "{key}: {errors:?}");
        Some(text)
    }

    pub(super) fn source(self) -> &'static str {
        match self {
            Lang::Korean => include_str!("text/ko.ftl"),
            Lang::English => include_str!("text/en.ftl"),
            Lang::Japanese => include_str!("text/ja.ftl"),
        }
    }

    fn bundle(self) -> Bundle {
        // What cannot be read is left out: a test reads all of it.
        let resource = FluentResource::try_new(self.source().to_owned()).unwrap_or_else(|(resource, errors)| {
            debug_assert!(errors.is_empty(), "{errors:?}");
            resource
        });
        let mut bundle = Bundle::new_concurrent(self.code().parse().into_iter().collect());
        // Marks around each value would stand in titles and attributes, where browsers show them.
        bundle.set_use_isolating(false);
        bundle.add_resource_overriding(resource);
        bundle
    }
}

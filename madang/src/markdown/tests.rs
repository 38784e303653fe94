use std::{cell::RefCell, collections::BTreeSet, thread};

use html5ever::{
    tendril::StrTendril,
    tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer},
};
use proptest::prelude::*;

use super::{attacks::ATTACKS, cache, tree::MOST_LEVELS, *};

const TAGS: &str = "a p br strong em del code pre blockquote ul ol li h2 h3 h4 h5 h6 hr table thead tbody tr th td";

/// What an HTML parser finds in a page.
#[derive(Default)]
struct Page {
    tags: RefCell<Vec<Tag>>,
    text: RefCell<String>,
    other: RefCell<Vec<Token>>,
}

impl TokenSink for Page {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => self.tags.borrow_mut().push(tag),
            Token::CharacterTokens(text) => self.text.borrow_mut().push_str(&text),
            Token::EOFToken | Token::ParseError(_) => {}
            other => self.other.borrow_mut().push(other),
        }
        TokenSinkResult::Continue
    }
}

fn read(html: &str) -> Page {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let parser = Tokenizer::new(Page::default(), Default::default());
    let _ = parser.feed(&input);
    parser.end();
    parser.sink
}

fn attributes(tag: &Tag) -> Vec<(&str, &str)> {
    tag.attrs.iter().map(|attribute| (&*attribute.name.local, &*attribute.value)).collect()
}

/// Nothing but what the page may have, also after another reading and writing: nothing hides in how tags nest.
#[track_caller]
fn assert_safe(html: &str) -> (String, usize) {
    assert_eq!(CLEANER.clean(html).to_string(), html.replace('\u{a0}', "&nbsp;"));
    assert_allowed(html)
}

/// Nothing but what the page may have, as a parser sees it; returns the text that a reader sees and the depth of the tags.
#[track_caller]
fn assert_allowed(html: &str) -> (String, usize) {
    assert!(html.len() <= MOST_HTML);
    let page = read(html);
    assert!(page.other.borrow().is_empty(), "{html}");
    let allowed: BTreeSet<&str> = TAGS.split(' ').collect();
    let (mut open, mut deepest) = (Vec::new(), 0);
    for tag in page.tags.borrow().iter() {
        let name = &*tag.name;
        assert!(allowed.contains(name), "<{name}> in {html}");
        match tag.kind {
            TagKind::EndTag => assert_eq!(open.pop().as_deref(), Some(name), "{html}"),
            TagKind::StartTag => assert_attributes(name, &attributes(tag)),
        }
        if tag.kind == TagKind::StartTag && !["br", "hr"].contains(&name) {
            open.push(name.to_owned());
        }
        deepest = deepest.max(open.len());
        assert!(open.iter().filter(|name| *name == "a").count() <= 1, "a link in a link: {html}");
    }
    assert!(open.is_empty(), "{html}");
    (page.text.take(), deepest)
}

#[track_caller]
fn assert_attributes(name: &str, attributes: &[(&str, &str)]) {
    match (name, attributes) {
        ("a", [("href", href), ("rel", "nofollow noopener noreferrer ugc")]) => {
            let href = href.to_ascii_lowercase();
            assert!(["http:", "https:", "mailto:"].iter().any(|scheme| href.starts_with(scheme)), "{href}");
        }
        ("ol", [("start", start)]) => assert!(start.parse::<u32>().is_ok()),
        ("th" | "td", [("align", "left" | "center" | "right")]) => {}
        ("a", _) => panic!("{attributes:?}"),
        (_, attributes) => assert_eq!(attributes, [], "{name}"),
    }
}

#[track_caller]
fn assert_html(text: &str, html: &str) {
    let made = render(text);
    assert_safe(&made);
    assert_eq!(made.trim_end().replace(" rel=\"nofollow noopener noreferrer ugc\"", ""), html);
}

#[test]
fn commonmark() {
    assert_html("a\nb", "<p>a<br>\nb</p>");
    assert_html("# a\n## b\n### c\n#### d", "<h2>a</h2>\n<h3>b</h3>\n<h4>c</h4>\n<h5>d</h5>");
    assert_html("*a* **b** ~~c~~ `d`", "<p><em>a</em> <strong>b</strong> <del>c</del> <code>d</code></p>");
    assert_html("```rust\n<a>\n```", "<pre><code>&lt;a&gt;\n</code></pre>");
    assert_html("```math\na\n```", "<pre><code>a\n</code></pre>");
    assert_html("> a\n\n---", "<blockquote>\n<p>a</p>\n</blockquote>\n<hr>");
    assert_html("3. a\n4. b", "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>");
    assert_html("- [ ] a", "<ul>\n<li>[ ] a</li>\n</ul>");
    assert_html("a[^1] $b$ :+1:\n\n[^1]: c", "<p>a^1 $b$ :+1:</p>");
    assert_html(
        "|a|b|\n|-:|-|\n|c|d|",
        "<table>\n<thead>\n<tr>\n<th align=\"right\">a</th>\n<th>b</th>\n</tr>\n</thead>\n\
         <tbody>\n<tr>\n<td align=\"right\">c</td>\n<td>d</td>\n</tr>\n</tbody>\n</table>",
    );
}

#[test]
fn links_lead_to_the_web_and_to_mail_alone() {
    assert_html("[a](https://b/?c&d \"e\")", "<p><a href=\"https://b/?c&amp;d\">a</a></p>");
    assert_html("[a](mailto:b@c.d) b@c.d", "<p><a href=\"mailto:b@c.d\">a</a> <a href=\"mailto:b@c.d\">b@c.d</a></p>");
    assert_html("[a](/b) [c](//d) [e](#f) [g](ftp://h)", "<p>a c e g</p>");
    assert_html(
        "www.a.b, https://c.d.",
        "<p><a href=\"http://www.a.b/\">www.a.b</a>, <a href=\"https://c.d/\">https://c.d</a>.</p>",
    );
    assert_html(
        "`https://a.b` (https://a.b)",
        "<p><code>https://a.b</code> (<a href=\"https://a.b/\">https://a.b</a>)</p>",
    );
}

#[test]
fn images_become_links() {
    assert_html("![a *b*](https://c/d.png)", "<p><a href=\"https://c/d.png\">a <em>b</em></a></p>");
    assert_html("[![a](https://b/c.png)](https://d)", "<p><a href=\"https://d/\">a</a></p>");
    assert_html("![a](data:image/png;base64,AAAA) ![](x)", "<p>a x</p>");
    assert_html("![](https://b/c.png)", "<p><a href=\"https://b/c.png\">https://b/c.png</a></p>");
}

#[test]
fn raw_html_is_shown() {
    assert_html("a <b>**c**</b>", "<p>a &lt;b&gt;<strong>c</strong>&lt;/b&gt;</p>");
    assert_html("<div>\n*a*\n</div>\n\nb", "<p>&lt;div&gt;<br>\n*a*<br>\n&lt;/div&gt;</p>\n<p>b</p>");
    assert_html("- <!-- a -->", "<ul>\n<li>&lt;!-- a --&gt;</li>\n</ul>");
}

#[test]
fn korean_and_japanese_emphasis() {
    assert_html("**강조**입니다.", "<p><strong>강조</strong>입니다.</p>");
    assert_html("**\"강조\"**는", "<p><strong>\"강조\"</strong>는</p>");
    assert_html("이 **용어(term)**를", "<p>이 <strong>용어(term)</strong>를</p>");
    assert_html("これは**「強調」**です。", "<p>これは<strong>「強調」</strong>です。</p>");
    assert_html("~~취소(取消)~~합니다", "<p><del>취소(取消)</del>합니다</p>");
}

#[test]
fn addresses_end_where_particles_begin() {
    for (text, address) in [
        ("https://example.com는", "https://example.com/"),
        ("https://example.com/a를", "https://example.com/a"),
        ("詳細はhttps://example.com/aをご覧", "https://example.com/a"),
        ("「https://example.com/」と", "https://example.com/"),
        ("https://example.com/a。次", "https://example.com/a"),
        ("(https://example.com/a)에서", "https://example.com/a"),
        ("https://example.com/a(예)", "https://example.com/a"),
        ("https://example.com/a_(b)에서", "https://example.com/a_(b)"),
        ("www.example.com에서", "http://www.example.com/"),
    ] {
        let html = render(text);
        assert_safe(&html);
        assert!(html.contains(&format!("href=\"{address}\" ")), "{html}");
    }
    for text in [
        "https://ko.wikipedia.org/wiki/서울_(도시)",
        "https://한국.com/",
        "<https://example.com/a를>",
        "[https://example.com/a를](https://example.com/a를)",
    ] {
        let html = render(text);
        assert_safe(&html);
        assert!(html.ends_with("</a></p>\n"), "{html}");
    }
}

#[test]
fn w01_w02_nothing_runs() {
    for attack in ATTACKS {
        let html = render(attack);
        let (shown, _) = assert_safe(&html);
        // Raw HTML is not dropped: people see what was tried.
        if attack.starts_with("<") && !attack.contains('&') && !attack.ends_with("alert(1)>") && !attack.contains("@b")
        {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().concat();
            assert_eq!(words(&shown), words(attack));
        }
        assert_safe(&as_typed(attack));
    }
    // And in each other.
    for (n, attack) in ATTACKS.iter().enumerate() {
        let next = ATTACKS[(n + 1) % ATTACKS.len()];
        for text in
            [format!("{attack}{next}"), format!("[{attack}]({next})"), format!("> - {attack}\n\n|{next}|\n|-|\n")]
        {
            assert_safe(&render(&text));
        }
    }
}

#[test]
fn i15_bombs_stay_small_on_a_small_stack() {
    let work = || {
        for (name, text) in bombs::all() {
            assert!(
                (49_000..=MOST_CHARS).contains(&text.chars().count()),
                "{name} has {} characters",
                text.chars().count()
            );
            let html = render(&text);
            let (_, deepest) = assert_allowed(&html);
            // A list is two tags a level; a paragraph, a table or a heading may be at its end.
            assert!(deepest <= 2 * usize::from(MOST_LEVELS) + 6, "{name} is {deepest} deep");
            assert!(excerpt(&text, 200).chars().count() <= 200, "{name}");
        }
    };
    thread::Builder::new().stack_size(512 << 10).spawn(work).unwrap().join().unwrap();
}

#[test]
fn i15_too_much_is_shown_as_typed() {
    let (_, gaps) = bombs::all().into_iter().find(|(name, _)| *name == "table, gaps").unwrap();
    assert!(html(&gaps).is_none());
    assert!(render(&gaps).starts_with("<p>|a|a"));
    assert_eq!(as_typed("a<b>&\n**c**"), "<p>a&lt;b&gt;&amp;<br>\n**c**</p>\n");
}

#[test]
fn i15_what_is_too_deep_keeps_its_words() {
    let deep = format!("{}a", "> - ".repeat(90));
    let (shown, deepest) = assert_safe(&render(&deep));
    assert_eq!(shown.split_whitespace().last(), Some("a"));
    assert!(deepest > usize::from(MOST_LEVELS));
    let (shown, deepest) = assert_safe(&render(&format!("{}b{}", "*a **a ".repeat(200), " a** a*".repeat(200))));
    assert_eq!(deepest, 1 + usize::from(MOST_LEVELS));
    assert_eq!(shown.matches('a').count(), 800);
}

#[test]
fn i15_longer_texts_are_cut() {
    let (shown, _) = assert_safe(&render(&"한".repeat(MOST_CHARS + 10)));
    assert_eq!(shown.trim().chars().count(), MOST_CHARS);
}

#[test]
fn i15_words_behind_much_markup_are_not_looked_for() {
    assert_eq!(excerpt(&format!("{} far", ">".repeat(10_000)), 100), "");
    assert_eq!(excerpt(&format!("{} near", ">".repeat(100)), 100), "near");
}

#[test]
fn r02_mentions_and_tags_are_words() {
    for text in ["@nickname ".repeat(5_000), "#tag ".repeat(1_000), "@닉네임 #태그 ".repeat(1_000)] {
        let html = render(&text);
        assert_safe(&html);
        assert_eq!(&*html, format!("<p>{}</p>\n", text.trim_end()));
    }
}

#[test]
fn the_cache_is_bounded() {
    let mut cache = Cache::default();
    let html: Arc<str> = "h".repeat(100_000).into();
    cache.put("busy", html.clone());
    for n in 0..1_000 {
        cache.put(&n.to_string(), html.clone());
        assert!(cache.bytes() <= 2 * cache::GENERATION);
        assert!(cache.get("busy").is_some());
    }
    assert!(cache.get("999").is_some());
    assert!(cache.get("0").is_none());
    assert!(Arc::ptr_eq(&render("once"), &render("once")));
}

#[test]
fn excerpts_are_words() {
    assert_eq!(excerpt("# a\n\n- b\n- **c** [d](https://e)\n\n> f\ng", 100), "a b c d f g");
    assert_eq!(excerpt("![a](https://b) `c<d>` <e> &lt;", 100), "a c<d> <e> <");
    assert_eq!(excerpt("|a|b|\n|-|-|\n|c|d|", 100), "a b c d");
    assert_eq!(excerpt("```\na\n  b\n```", 100), "a b");
    assert_eq!(excerpt("a\u{1}b \u{7} c\u{3000}d", 100), "ab c d");
    assert_eq!(excerpt("", 10), "");
    assert_eq!(excerpt("a b", 0), "");
    assert_eq!(excerpt("abcd", 4), "abcd");
    assert_eq!(excerpt("abcde", 4), "abc…");
    assert_eq!(excerpt("abc de", 5), "abc…");
    let long = format!("**{}**", "가".repeat(40_000));
    assert_eq!(excerpt(&long, 39_999).chars().count(), 39_999);
}

#[test]
fn excerpts_part_between_letters() {
    let family = "👩‍👩‍👧‍👦";
    for (text, most, short) in [
        (format!("a{family}b"), 4, "a…"),
        (format!("a{family}bc"), 9, "a👩‍👩‍👧‍👦…"),
        ("ae\u{301}b".to_owned(), 3, "a…"),
        ("👍🏽👍🏽".to_owned(), 3, "👍🏽…"),
        ("🇰🇷🇯🇵🇰🇷".to_owned(), 4, "🇰🇷…"),
        ("\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}".to_owned(), 5, "\u{1112}\u{1161}\u{11ab}…"),
        (format!("a{}", "\u{301}".repeat(100)), 50, &*format!("a{}…", "\u{301}".repeat(48))),
    ] {
        assert_eq!(excerpt(&text, most), short);
    }
}

fn markdownish() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        prop::sample::select(ATTACKS).prop_map(str::to_owned),
        "[ \n\t>*_`~\\[\\]()!<&;:/.|#+=0-9a-c\"'\\\\-]{1,8}",
        "[가-힣ぁ-ん「」。、]{1,4}",
        prop::sample::select(
            &[
                "https://",
                "www.a.b",
                "\n\n",
                "    ",
                "```\n",
                "|a|b|\n|-|-|\n",
                "- ",
                "1. ",
                "> ",
                "![",
                "](https://a)"
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_text_is_safe(text in prop_oneof![markdownish(), any::<String>()], most in 0usize..80) {
        assert_safe(&render(&text));
        assert_safe(&as_typed(&text));
        let short = excerpt(&text, most);
        assert!(short.chars().count() <= most);
        assert!(!short.contains(char::is_control));
    }

    /// What markup there is, it does not get into the words.
    #[test]
    fn excerpts_have_no_markup(words in prop::collection::vec("[a-z가-힣]{1,5}", 1..20)) {
        let text: Vec<String> = words.iter().enumerate().map(|(n, word)| match n % 5 {
            0 => format!("**{word}**"),
            1 => format!("[{word}](https://a)"),
            2 => format!("`{word}`"),
            3 => format!("\n\n- {word}\n\n"),
            _ => word.clone(),
        }).collect();
        assert_eq!(excerpt(&text.join(" "), 1_000), words.join(" "));
    }
}

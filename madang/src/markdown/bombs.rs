//! Texts made to hurt, each of 50,000 characters or a little less.

const MOST: usize = 50_000;

fn fill(part: &str) -> String {
    part.chars().cycle().take(MOST).collect()
}

/// `part` as often as it goes, then `last` as often.
fn around(first: &str, middle: &str, last: &str) -> String {
    let times = (MOST - middle.chars().count()) / (first.chars().count() + last.chars().count());
    first.repeat(times) + middle + &last.repeat(times)
}

/// Lines made by their number, until the text is long enough.
fn lines(line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    let mut chars = 0;
    for n in 0.. {
        let next = line(n) + "\n";
        chars += next.chars().count();
        if chars > MOST {
            break;
        }
        text += &next;
    }
    text
}

fn wide_table() -> String {
    let row = "|a".repeat(MOST / 6 - 1);
    format!("{row}\n{}\n{row}", "|-".repeat(MOST / 6 - 1))
}

/// A header of many columns, rows that name only the first: the parser has to complete the others.
fn gappy_table() -> String {
    let columns = 1_000;
    let head = format!("{}\n{}\n", "|a".repeat(columns), "|-".repeat(columns));
    let rows = (MOST - head.len()) / 3;
    head + &"|b\n".repeat(rows)
}

/// Every bomb with its name.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    let half = MOST / 2;
    vec![
        ("quotes", fill(">")),
        ("quotes, spaced", fill("> ")),
        ("quotes, then blank lines", "> ".repeat(half / 2) + "x" + &"\n".repeat(half - 1)),
        ("quotes, then lazy lines", "> ".repeat(half / 2) + "x\n" + &"x\n".repeat(half / 2 - 1)),
        ("quotes, many deep lines", lines(|_| ">".repeat(99) + "x")),
        ("quotes, many middling lines", lines(|_| ">".repeat(499) + "x")),
        ("lists by indentation", lines(|n| "  ".repeat(n) + "- a")),
        ("lists by tabs", lines(|n| "\t".repeat(n) + "- a")),
        ("lists on one line", fill("- ")),
        ("lists on one line, then blank lines", "- ".repeat(half / 2) + "x" + &"\n".repeat(half - 1)),
        ("lists and quotes on one line", fill("> - ")),
        ("lists and quotes, then blank lines", "> - ".repeat(half / 4) + "x" + &"\n".repeat(half - 1)),
        ("lists 10k deep, numbered", fill("1. ")),
        ("lists, growing by 50 a line", lines(|n| "  ".repeat(50 * n) + &"- ".repeat(50) + "a")),
        ("list, long", fill("- a\n")),
        ("list, loose", fill("- a\n\n")),
        ("brackets", fill("[")),
        ("brackets, closed", around("[", "a", "]")),
        ("brackets, empty", fill("[]")),
        ("brackets, links begun", fill("[a](")),
        ("brackets, links begun with <", fill("[a](<b")),
        ("brackets, links begun with titles", fill("[a](b \"")),
        ("links", fill("[a](b) ")),
        ("links, good", fill("[a](http://b) ")),
        ("links, nested", around("[", "a", "](http://b)")),
        ("images begun", fill("![")),
        ("images, nested", around("![", "a", "](http://b)")),
        ("images", fill("![a](http://b) ")),
        ("emphasis begun", fill("*a ")),
        ("emphasis begun twice", fill("*a **a ")),
        ("emphasis closed", fill("a* ")),
        ("emphasis, runs", fill("_a__b")),
        ("emphasis, alternating", fill("*a_")),
        ("emphasis, a* _b", fill("a* _b ")),
        ("emphasis, deep", around("*a **a ", "b", " a** a*")),
        ("emphasis, deep, no spaces", around("*a_b", "c", "b_a*")),
        ("emphasis, deep, strong", around("**a ", "b", " a**")),
        ("emphasis, deep, del", around("~a *b ", "c", " b* a~")),
        ("stars", fill("*")),
        ("stars around", around("*", "a", "*")),
        ("tildes", fill("~")),
        ("tildes around", fill("~~a~~b")),
        ("backticks, growing runs", lines_of_ticks()),
        ("backticks", fill("`")),
        ("backticks, spaced", fill("` ``")),
        ("table, wide", wide_table()),
        ("table, tall", "|a|\n|-|\n".to_owned() + &"|b|\n".repeat(MOST / 4 - 2)),
        ("table, gaps", gappy_table()),
        ("tables, many", fill("|a|\n|-|\n|b|\n\n")),
        ("table, heads", fill("|a|\n|-|\n")),
        ("table, pipes", fill("|")),
        ("<", fill("<")),
        ("< with names", fill("<a ")),
        ("<!--", fill("<!--")),
        ("<!-- apart", fill("a <!-- ")),
        ("<?", fill("a<?")),
        ("<!A", fill("a<!A")),
        ("<![CDATA[", fill("a<![CDATA[")),
        ("<b>", fill("<b>")),
        ("<div> lines", fill("<div>\n\n")),
        ("&", fill("&")),
        ("&amp", fill("&amp;")),
        ("quotation marks", fill("\"")),
        ("references", references()),
        ("references, unused", fill("[a]: x\n")),
        ("references, long", format!("[a]: http://{}\n\n{}", "x".repeat(half), fill_to("[a] ", half - 20))),
        ("references, in quotes", fill("> [a]: x\n")),
        ("https://", fill("https://")),
        ("https://a", fill("https://a ")),
        ("https://a(", format!("https://a{}", fill_to("(", MOST - 9))),
        ("https://a)", format!("https://a{}", fill_to(")", MOST - 9))),
        ("https://a;", format!("https://a{}", fill_to("&a;", MOST - 9))),
        ("https://a/ and stars", fill("https://a/*")),
        ("http without end", fill("http")),
        ("www.", fill("www.")),
        ("www. apart", fill("www.a.b ")),
        ("addresses", fill("a@b.c ")),
        ("addresses, one run", fill("a@b.c")),
        ("addresses without end", fill("a.")),
        ("@", fill("@")),
        ("colons", fill(":")),
        ("rules", fill("-\n")),
        ("setext", fill("a\n=\n")),
        ("headings", fill("# a\n")),
        ("fences", fill("```\n")),
        ("fences, indented", fill("- ```\n  a\n")),
        ("backslashes", fill("\\")),
        ("one word", fill("a")),
        ("spaces", fill(" ")),
        ("tabs", fill("\t")),
        ("blank lines", fill("\n")),
        ("lines", fill("a\n")),
        ("paragraphs", fill("a\n\n")),
        ("NUL", fill("\0")),
        ("CJK", fill("漢字仮名交じり文。한국어")),
        ("CJK emphasis", fill("**「강조」**는")),
        ("emoji", fill("👩‍👩‍👧‍👦🇰🇷👍🏽")),
        ("combining marks", fill("e\u{301}\u{302}")),
        ("mentions", fill("@nickname ")),
        ("tags", fill("#tag ")),
        (
            "prose",
            fill(
                "Some **words** in a [text](https://example.com) of a board,\nwith `code` and ~~more~~.\n\n- one\n- two\n\n> quoted\n\n",
            ),
        ),
    ]
}

fn fill_to(part: &str, chars: usize) -> String {
    part.chars().cycle().take(chars).collect()
}

fn lines_of_ticks() -> String {
    let mut text = String::new();
    for n in 1.. {
        if text.len() + n + 1 > MOST {
            break;
        }
        text += &"`".repeat(n);
        text += "a";
    }
    text
}

fn references() -> String {
    let mut text = String::new();
    for n in 0..2_000 {
        text += &format!("[r{n}]: http://x/{n}\n");
    }
    text.push('\n');
    for n in 0.. {
        let next = format!("[r{}] ", n % 2_000);
        if text.len() + next.len() > MOST {
            break;
        }
        text += &next;
    }
    text
}

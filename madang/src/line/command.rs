//! What people ask for: by words of three languages, and by the buttons that we send them.

mod action;

use unicode_normalization::UnicodeNormalization;

pub(super) use self::action::Action;
use crate::web::Lang;

/// What somebody typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// What can be said.
    Help,
    /// The newest feeds.
    Newest,
    /// One feed, by its number.
    Feed(i64),
    /// What is new about one's own.
    Notifications,
    /// Make this chat an account's.
    Link,
    /// Make it nobody's.
    Unlink,
    /// Begin a feed with this text, which may be empty. Its first line is the title.
    Write(String),
    /// Post what was begun.
    Publish,
    /// Forget what was begun.
    Cancel,
    /// None of these.
    Unknown,
}

/// What is longer is no command, or one with a text behind it.
const LONGEST: usize = 40;

/// What each command is called, normalised and without spaces.
static WORDS: [(Command, Lang, &[&str]); 24] = [
    (Command::Help, Lang::Korean, &["도움말", "도움", "명령어", "사용법"]),
    (Command::Help, Lang::English, &["help", "commands"]),
    (Command::Help, Lang::Japanese, &["ヘルプ", "使い方"]),
    (Command::Newest, Lang::Korean, &["최신", "최신글", "새글", "목록", "글목록"]),
    (Command::Newest, Lang::English, &["newest", "latest", "new", "feeds", "posts", "newposts", "list"]),
    (Command::Newest, Lang::Japanese, &["新着", "最新", "一覧", "新しい投稿"]),
    (Command::Notifications, Lang::Korean, &["알림", "새알림"]),
    (Command::Notifications, Lang::English, &["notifications", "notification", "news"]),
    (Command::Notifications, Lang::Japanese, &["通知", "お知らせ"]),
    (Command::Link, Lang::Korean, &["연동", "연결", "계정연동", "계정연결"]),
    (Command::Link, Lang::English, &["link", "connect"]),
    (Command::Link, Lang::Japanese, &["連携", "連携する", "アカウント連携"]),
    (Command::Unlink, Lang::Korean, &["연동해제", "연결해제", "계정연동해제", "계정연결해제"]),
    (Command::Unlink, Lang::English, &["unlink", "disconnect"]),
    (Command::Unlink, Lang::Japanese, &["連携解除", "連携を解除", "連携を解除する"]),
    (Command::Write(String::new()), Lang::Korean, &["글쓰기", "쓰기", "작성", "글작성"]),
    (Command::Write(String::new()), Lang::English, &["write", "post"]),
    (Command::Write(String::new()), Lang::Japanese, &["投稿する", "投稿", "書く"]),
    (Command::Publish, Lang::Korean, &["등록", "게시", "올리기"]),
    (Command::Publish, Lang::English, &["publish"]),
    (Command::Publish, Lang::Japanese, &["公開", "公開する"]),
    (Command::Cancel, Lang::Korean, &["취소", "삭제"]),
    (Command::Cancel, Lang::English, &["cancel", "discard"]),
    (Command::Cancel, Lang::Japanese, &["キャンセル", "取消", "取り消し", "取り消す", "破棄"]),
];

/// What may stand before a feed's number, and behind it.
const BEFORE: [(&str, Option<Lang>); 6] = [
    ("글", Some(Lang::Korean)),
    ("feed", Some(Lang::English)),
    ("post", Some(Lang::English)),
    ("投稿", Some(Lang::Japanese)),
    ("#", None),
    ("", None),
];
const BEHIND: [(&str, Option<Lang>); 3] = [("번", Some(Lang::Korean)), ("番", Some(Lang::Japanese)), ("", None)];

/// What a text asks for, and the language of its words if they are of one.
pub(super) fn parse(text: &str) -> (Command, Option<Lang>) {
    let text = text.trim_matches(is_blank).trim_start_matches(['/', '／']).trim_start();
    let whole = || match text {
        "?" | "？" => Some((Command::Help, None)),
        _ => known(text).map(|(command, lang)| (command, Some(lang))).or_else(|| feed(text)),
    };
    let short = text.chars().nth(LONGEST).is_none();
    let found = if short { whole() } else { None };
    found.or_else(|| write(text)).unwrap_or((Command::Unknown, None))
}

/// Spaces, and what nobody sees.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// Full-width and half-width, upper and lower case are the same.
fn normalised(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// The command that is called so.
fn known(words: &str) -> Option<(Command, Lang)> {
    let word: String = normalised(words).split_whitespace().collect();
    let (command, lang, _) = WORDS.iter().find(|(_, _, names)| names.contains(&&*word))?;
    Some((command.clone(), *lang))
}

/// A feed's number, with or without a word that says so.
fn feed(text: &str) -> Option<(Command, Option<Lang>)> {
    let text = normalised(text);
    let (rest, before) = BEFORE.iter().find_map(|(word, lang)| Some((text.strip_prefix(word)?, lang)))?;
    let (number, behind) = BEHIND.iter().find_map(|(word, lang)| Some((rest.strip_suffix(word)?, lang)))?;
    let number = number.trim().trim_start_matches('#').trim_start();
    let digits = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
    let id = number.parse().ok().filter(|id| digits && *id > 0)?;
    Some((Command::Feed(id), before.or(*behind)))
}

/// A text behind the word for writing, which may be two words.
fn write(text: &str) -> Option<(Command, Option<Lang>)> {
    let first = text.find(char::is_whitespace).unwrap_or(text.len());
    let next = text[first..].trim_start_matches([' ', '\u{3000}']);
    let second = text.len() - next.len() + next.find(char::is_whitespace).unwrap_or(next.len());
    [second, first].into_iter().find_map(|end| {
        let (head, rest) = text.split_at(end);
        if head.chars().nth(LONGEST).is_some() {
            return None;
        }
        match known(head)? {
            (Command::Write(_), lang) => Some((Command::Write(rest.trim_matches(is_blank).to_owned()), Some(lang))),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn write(text: &str) -> Command {
        Command::Write(text.to_owned())
    }

    #[test]
    fn words_of_three_languages() {
        let (ko, en, ja) = (Some(Lang::Korean), Some(Lang::English), Some(Lang::Japanese));
        for (text, command, lang) in [
            ("help", Command::Help, en),
            ("  /HELP\n", Command::Help, en),
            ("／Ｈｅｌｐ", Command::Help, en),
            ("?", Command::Help, None),
            ("？", Command::Help, None),
            ("도움말", Command::Help, ko),
            ("\u{1103}\u{1169}\u{110b}\u{116e}\u{11b7}\u{1106}\u{1161}\u{11af}", Command::Help, ko),
            ("ﾍﾙﾌﾟ", Command::Help, ja),
            ("최신 글", Command::Newest, ko),
            ("\u{200b}Latest\u{feff}", Command::Newest, en),
            ("新着", Command::Newest, ja),
            ("알림", Command::Notifications, ko),
            ("お知らせ", Command::Notifications, ja),
            ("연동", Command::Link, ko),
            ("연동 해제", Command::Unlink, ko),
            ("연동해제", Command::Unlink, ko),
            ("連携　解除", Command::Unlink, ja),
            ("UNLINK", Command::Unlink, en),
            ("등록", Command::Publish, ko),
            ("公開", Command::Publish, ja),
            ("キャンセル", Command::Cancel, ja),
            ("12", Command::Feed(12), None),
            ("１２", Command::Feed(12), None),
            ("#12", Command::Feed(12), None),
            ("＃１２", Command::Feed(12), None),
            ("feed 12", Command::Feed(12), en),
            ("/feed #12", Command::Feed(12), en),
            ("post 12", Command::Feed(12), en),
            ("글 12", Command::Feed(12), ko),
            ("글 12번", Command::Feed(12), ko),
            ("12번", Command::Feed(12), ko),
            ("12番", Command::Feed(12), ja),
            ("投稿 12", Command::Feed(12), ja),
            ("9223372036854775807", Command::Feed(i64::MAX), None),
            ("write", write(""), en),
            ("Write A  title\n\n body \n", write("A  title\n\n body"), en),
            ("post\nTitle\nText", write("Title\nText"), en),
            ("post 12\nText", write("12\nText"), en),
            ("글쓰기 제목\n내용", write("제목\n내용"), ko),
            ("글 쓰기　제목", write("제목"), ko),
            ("글 쓰기", write(""), ko),
            ("投稿する\nタイトル", write("タイトル"), ja),
            ("書く ｶﾀｶﾅ", write("ｶﾀｶﾅ"), ja),
            ("write help", write("help"), en),
        ] {
            assert_eq!(parse(text), (command, lang), "{text:?}");
        }
        let long = format!("write {}", "가".repeat(5_000));
        assert_eq!(parse(&long).0, write(&long[6..]));
    }

    #[test]
    fn other_texts_are_no_commands() {
        let long = "help".repeat(1_000);
        let expanding = "\u{fdfa}".repeat(5_000);
        for text in [
            "",
            " ",
            "/",
            "hello",
            "helpful",
            "writer",
            "글쓰기입니다",
            "0",
            "-1",
            "1 2",
            "12 13",
            "+12",
            "12번번",
            "9223372036854775808",
            "99999999999999999999",
            "①②x",
            "feed",
            "글",
            "#",
            "번",
            "help me",
            &long,
            &expanding,
            "\u{0}",
            "١٢",
        ] {
            assert_eq!(parse(text), (Command::Unknown, None), "{text:.40?}");
        }
    }

    #[test]
    fn each_word_is_normalised_and_means_one_command() {
        let mut seen = BTreeSet::new();
        for (command, lang, words) in &WORDS {
            for word in *words {
                assert_eq!(normalised(word), *word);
                assert!(seen.insert(*word), "{word} stands twice");
                assert_eq!(parse(word), (command.clone(), Some(*lang)));
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_borne(text in any::<String>(), head in r"(글|#|post|write|投稿|/)?[ 0-9\n]{0,12}") {
            for text in [&text, &format!("{head}{text}"), &format!("write {text}")] {
                if let (Command::Feed(id), _) = parse(text) {
                    prop_assert!(id > 0);
                }
            }
        }

        #[test]
        fn what_follows_the_word_is_kept(text in "[a-z가-힣ａ-ｚ][a-z가-힣ａ-ｚ \n😀]{0,40}[a-z가-힣]") {
            prop_assert_eq!(parse(&format!("글쓰기\n{text}")), (write(&text), Some(Lang::Korean)));
        }
    }
}

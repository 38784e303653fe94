//! What our buttons ask for.

/// LINE takes no longer data of a button.
const MOST_DATA: usize = 300;
/// What names a draft is not longer.
const MOST_DRAFT: usize = 64;

/// What a button of ours asks for, as the data that LINE brings back when it is pressed. Anybody can send any, so that whoever
/// acts on it looks anew whether he may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::line) enum Action {
    /// The newest feeds.
    Newest,
    /// What is new about one's own.
    Notifications,
    /// What can be said.
    Help,
    /// One feed.
    Feed(i64),
    /// Post this draft.
    Publish {
        /// Letters, digits, `-` and `_`, 64 at most.
        draft: String,
    },
    /// Forget this draft.
    Cancel {
        /// The same.
        draft: String,
    },
    /// Make this chat an account's.
    Link,
    /// Make it nobody's, as was asked before.
    Unlink,
    /// Leave it as it is.
    KeepLink,
}

impl Action {
    /// At most 300 characters.
    pub(in crate::line) fn to_data(&self) -> String {
        match self {
            Action::Newest => "newest".to_owned(),
            Action::Notifications => "notifications".to_owned(),
            Action::Help => "help".to_owned(),
            Action::Feed(id) => format!("feed:{id}"),
            Action::Publish { draft } => format!("publish:{}", draft_name(draft)),
            Action::Cancel { draft } => format!("cancel:{}", draft_name(draft)),
            Action::Link => "link".to_owned(),
            Action::Unlink => "unlink".to_owned(),
            Action::KeepLink => "keep-link".to_owned(),
        }
    }

    /// Reads what [`to_data`](Action::to_data) wrote; `None` for everything else.
    pub(in crate::line) fn parse(data: &str) -> Option<Action> {
        if data.len() > MOST_DATA {
            return None;
        }
        let (name, value) = data.split_once(':').map_or((data, None), |(name, value)| (name, Some(value)));
        let draft = || value.filter(|value| !value.is_empty() && draft_name(value) == *value).map(str::to_owned);
        Some(match (name, value) {
            ("newest", None) => Action::Newest,
            ("notifications", None) => Action::Notifications,
            ("help", None) => Action::Help,
            ("feed", Some(id)) => Action::Feed(id.parse().ok().filter(|n: &i64| *n > 0 && n.to_string() == id)?),
            ("publish", Some(_)) => Action::Publish { draft: draft()? },
            ("cancel", Some(_)) => Action::Cancel { draft: draft()? },
            ("link", None) => Action::Link,
            ("unlink", None) => Action::Unlink,
            ("keep-link", None) => Action::KeepLink,
            _ => return None,
        })
    }
}

/// As much of it as is a name.
fn draft_name(draft: &str) -> &str {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let end = draft.find(|c| !is_name(c)).unwrap_or(draft.len());
    &draft[..end.min(MOST_DRAFT)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn l06_only_our_own_data_is_read() {
        let draft = "Az09-_".to_owned();
        let actions = [
            Action::Newest,
            Action::Notifications,
            Action::Help,
            Action::Feed(i64::MAX),
            Action::Publish { draft: draft.clone() },
            Action::Cancel { draft },
            Action::Link,
            Action::Unlink,
            Action::KeepLink,
        ];
        for action in actions {
            assert_eq!(Action::parse(&action.to_data()), Some(action));
        }
        let (long, bomb) = (format!("publish:{}", "a".repeat(300)), "[".repeat(1_000_000));
        for bad in [
            "",
            ":",
            "newest:",
            "newest ",
            "Newest",
            "feed",
            "feed:",
            "feed:0",
            "feed:-1",
            "feed:+1",
            "feed:01",
            "feed:1 ",
            "feed:9223372036854775808",
            "feed:１",
            "publish:",
            "publish",
            "publish:a b",
            "publish:a:b",
            "publish:é",
            "cancel:../x",
            "unlink:1",
            "{\"feed\":1}",
            "\u{0}",
            &long,
            &bomb,
        ] {
            assert_eq!(Action::parse(bad), None, "{bad:.40}");
        }
    }

    proptest! {
        #[test]
        fn any_data_is_borne(text in any::<String>()) {
            let _ = Action::parse(&text);
            for action in [Action::Publish { draft: text.clone() }, Action::Cancel { draft: text.repeat(50) }] {
                prop_assert!(action.to_data().chars().count() <= 300);
            }
        }
    }
}

//! Pages of lists: by `skip`, as the board before had them, or by cursor, which costs the same however far one reads.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::http::input::Fields;

const LIMIT: std::ops::RangeInclusive<i64> = 1..=100;
/// The length of a page, unless it is said.
pub(crate) const DEFAULT_LIMIT: i64 = 10;
/// Characters of a cursor; ours are shorter.
const CURSOR_LENGTH: usize = 200;

/// The parameters of a list, as the document tells them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
pub(crate) struct PageParams {
    /// How many rows to leave out. The further, the slower; `cursor` stays fast.
    #[param(minimum = 0, default = 0)]
    skip: Option<i64>,
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: Option<i64>,
    /// Where the page before says that this one begins, instead of `skip`.
    #[param(min_length = 1, max_length = 200)]
    cursor: Option<String>,
}

/// The parameters of a list that has no `skip`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
pub(crate) struct CursorParams {
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(min_length = 1, max_length = 200)]
    cursor: Option<String>,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) limit: i64,
    pub(crate) start: Start,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// After so many rows.
    Skip(i64),
    /// After the row at this position.
    After(Position),
}

/// A row's place in the order of its list: the value it is sorted by, and its id for ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) value: i64,
    pub(crate) id: i64,
}

impl Window {
    /// Reads `skip`, `limit` and `cursor`. `list` names the kind of list and its order: a cursor is good for no other.
    pub(crate) fn parse(fields: &mut Fields<'_>, list: &str) -> Window {
        let limit = fields.int_or("limit", DEFAULT_LIMIT, LIMIT);
        let skip = fields.int_or("skip", 0, 0..=i64::MAX);
        let Some(cursor) = fields.optional_text("cursor", 1..=CURSOR_LENGTH) else {
            return Window { limit, start: Start::Skip(skip) };
        };
        let position = Position::read(&cursor, list);
        if position.is_none() {
            fields.refuse("cursor", "Not a cursor of this list and order");
        } else if fields.has("skip") {
            fields.refuse("cursor", "Either skip or cursor, not both");
        }
        let start = position.map_or(Start::Skip(skip), Start::After);
        Window { limit, start }
    }

    /// Reads `limit` and `cursor`, for a list that has no `skip`; see [`parse`](Window::parse).
    pub(crate) fn parse_cursor(fields: &mut Fields<'_>, list: &str) -> Window {
        let limit = fields.int_or("limit", DEFAULT_LIMIT, LIMIT);
        let position = fields.optional_text("cursor", 1..=CURSOR_LENGTH).map(|cursor| Position::read(&cursor, list));
        if position == Some(None) {
            fields.refuse("cursor", "Not a cursor of this list and order");
        }
        Window { limit, start: position.flatten().map_or(Start::Skip(0), Start::After) }
    }

    /// How many rows to ask for: one more than wanted tells whether there is a next page.
    pub(crate) fn probe(self) -> i64 {
        self.limit + 1
    }

    /// After which position to begin, and how many rows to leave out there: for a statement that serves both skip and
    /// cursor. `edge` is before all rows of its order.
    pub(crate) fn begin(self, edge: Position) -> (Position, i64) {
        match self.start {
            Start::Skip(skip) => (edge, skip),
            Start::After(position) => (position, 0),
        }
    }

    /// Cuts off the row that was asked for beyond the page, and makes the cursor of the next page, if there is one. A row's
    /// position is what the list is sorted by, and its id.
    pub(crate) fn next_cursor<T>(self, rows: &mut Vec<T>, list: &str, at: impl Fn(&T) -> (i64, i64)) -> Option<String> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        if rows.len() <= limit {
            return None;
        }
        rows.truncate(limit);
        let (value, id) = at(rows.last()?);
        Some(Position { value, id }.cursor(list))
    }
}

impl Position {
    /// Before all rows of a descending order.
    pub(crate) const TOP: Position = Position { value: i64::MAX, id: i64::MAX };
    /// Before all rows of an ascending order.
    pub(crate) const BOTTOM: Position = Position { value: i64::MIN, id: 0 };

    /// The cursor of the page after this row.
    pub(crate) fn cursor(self, list: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{list} {} {}", self.value, self.id))
    }

    fn read(cursor: &str, list: &str) -> Option<Position> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (value, id) = text.strip_prefix(list)?.strip_prefix(' ')?.split_once(' ')?;
        Some(Position { value: value.parse().ok()?, id: id.parse().ok()? })
    }
}

/// Where a page stands among all pages.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Pagination {
    /// Counted from 1; by cursor it is not known and stays 1.
    current_page: i64,
    total_pages: i64,
    is_last_page: bool,
    total_count: i64,
    /// For the parameter `cursor`; null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl Pagination {
    pub(crate) fn new(window: Window, total_count: i64, next_cursor: Option<String>) -> Pagination {
        let (current_page, is_last_page) = match window.start {
            Start::Skip(skip) => {
                ((skip / window.limit).saturating_add(1), skip.saturating_add(window.limit) >= total_count)
            }
            Start::After(_) => (1, next_cursor.is_none()),
        };
        let total_pages = total_count.div_euclid(window.limit) + i64::from(total_count % window.limit > 0);
        Pagination { current_page, total_pages, is_last_page, total_count, next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::input::{Document, Source};

    fn window(pairs: &[(&str, &str)]) -> Option<Window> {
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
        let document = Document::new(Source::Query, pairs);
        let mut fields = document.fields();
        let window = Window::parse(&mut fields, "list");
        fields.finish(window).ok()
    }

    #[test]
    fn i02_limits_and_skips() {
        assert_eq!(window(&[]), Some(Window { limit: 10, start: Start::Skip(0) }));
        assert_eq!(window(&[("limit", "1"), ("limit", "100")]).map(|w| w.limit), Some(100));
        for (name, bad) in
            [("limit", "0"), ("limit", "-1"), ("limit", "101"), ("skip", "-1"), ("skip", "9223372036854775808")]
        {
            assert_eq!(window(&[(name, bad)]), None, "{name}={bad}");
        }
        assert!(window(&[("skip", "9223372036854775807")]).is_some());
    }

    #[test]
    fn z07_cursors_belong_to_their_list() {
        let position = Position { value: -5, id: 7 };
        let cursor = position.cursor("list");
        assert_eq!(window(&[("cursor", &cursor)]).map(|w| w.start), Some(Start::After(position)));
        let others = [
            position.cursor("list2"),
            position.cursor("lis"),
            "x".repeat(10_000),
            "!".into(),
            URL_SAFE_NO_PAD.encode("list 1 2 3"),
        ];
        for bad in others {
            assert_eq!(window(&[("cursor", &bad)]), None, "{bad}");
        }
        assert_eq!(window(&[("cursor", &cursor), ("skip", "0")]), None);
    }

    #[test]
    fn pagination_counts_as_before() {
        let page = |skip, limit, total| {
            let p = Pagination::new(Window { limit, start: Start::Skip(skip) }, total, None);
            (p.current_page, p.total_pages, p.is_last_page)
        };
        assert_eq!(page(0, 10, 0), (1, 0, true));
        assert_eq!(page(0, 10, 11), (1, 2, false));
        assert_eq!(page(10, 10, 11), (2, 2, true));
        assert_eq!(page(i64::MAX, 1, 3), (i64::MAX, 3, true));
    }
}

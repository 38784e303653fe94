//! The values of a notification.

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    account::UserId,
    comment::CommentId,
    error::Result,
    feed::FeedId,
    http::input::{Document, Fields},
    openapi::one_of,
};

/// Identifies a notification. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema, greenlit::Value)]
#[serde(transparent)]
pub(crate) struct NotificationId(pub(crate) i64);

/// What others do that one hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = NotificationKind)]
pub(crate) enum Kind {
    /// They comment on one's feed.
    Comment,
    /// They comment on a feed on which one has commented.
    Reply,
    /// They like one's feed or comment.
    Like,
    /// They follow one.
    Follow,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Kind; 4] = [Kind::Comment, Kind::Reply, Kind::Like, Kind::Follow];

    /// As it is stored, and called by clients.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Comment => "comment",
            Kind::Reply => "reply",
            Kind::Like => "like",
            Kind::Follow => "follow",
        }
    }

    /// The key of what it is called on pages.
    pub(super) fn key(self) -> &'static str {
        match self {
            Kind::Comment => "notification-on-comment",
            Kind::Reply => "notification-on-reply",
            Kind::Like => "notification-on-like",
            Kind::Follow => "notification-on-follow",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where one hears of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Nowhere.
    Off,
    /// On the board.
    Board,
    /// There, and wherever else one has oneself told.
    #[default]
    All,
}

impl Level {
    /// All of them, the most first.
    pub(super) const ALL: [Level; 3] = [Level::All, Level::Board, Level::Off];
    /// As clients call them; the first is the default.
    pub(super) const NAMES: &[(&str, Level)] = &[("all", Level::All), ("board", Level::Board), ("off", Level::Off)];

    /// As it is stored.
    pub(super) fn number(self) -> i64 {
        self as i64
    }

    fn of(number: i64) -> Level {
        match number {
            0 => Level::Off,
            1 => Level::Board,
            _ => Level::All,
        }
    }

    /// The key of what it is called on pages.
    pub(super) fn key(self) -> &'static str {
        match self {
            Level::All => "notification-at-all",
            Level::Board => "notification-at-board",
            Level::Off => "notification-at-off",
        }
    }

    pub(super) fn name(self) -> &'static str {
        Level::NAMES.iter().find(|(_, level)| *level == self).map_or("all", |(name, _)| name)
    }
}

impl PartialSchema for Level {
    fn schema() -> RefOr<Schema> {
        one_of(Level::NAMES)
    }
}

impl ToSchema for Level {}

/// Where one hears of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NotificationSettings)]
pub(crate) struct Settings {
    #[schema(inline)]
    comment: Level,
    #[schema(inline)]
    reply: Level,
    #[schema(inline)]
    like: Level,
    #[schema(inline)]
    follow: Level,
}

impl Settings {
    pub(crate) fn of(self, kind: Kind) -> Level {
        match kind {
            Kind::Comment => self.comment,
            Kind::Reply => self.reply,
            Kind::Like => self.like,
            Kind::Follow => self.follow,
        }
    }

    /// What was sent, and what is for the rest.
    pub(super) fn change(self, fields: &mut Fields<'_>) -> Settings {
        let mut level = |kind: Kind| fields.one_of(kind.name(), self.of(kind), Level::NAMES);
        Settings {
            comment: level(Kind::Comment),
            reply: level(Kind::Reply),
            like: level(Kind::Like),
            follow: level(Kind::Follow),
        }
    }
}

/// The inbox of a user whose row is locked, or that is only looked at.
#[derive(Clone, Copy, Debug, greenlit::FromRow)]
pub(super) struct Inbox {
    pub(super) version: i64,
    on_comment: i64,
    on_reply: i64,
    on_like: i64,
    on_follow: i64,
    pub(super) outside: i64,
}

/// Nobody carries what happens outside.
pub(super) const ALONE: i64 = 0;
/// Somebody does, and wants to be called.
pub(super) const CARRIED: i64 = 1;
/// He has been called, and has not come yet.
pub(super) const CALLED: i64 = 2;

impl Default for Inbox {
    /// That of somebody to whom nothing has happened yet.
    fn default() -> Inbox {
        let all = Level::All.number();
        Inbox { version: 0, on_comment: all, on_reply: all, on_like: all, on_follow: all, outside: ALONE }
    }
}

impl Inbox {
    pub(super) fn settings(&self) -> Settings {
        Settings {
            comment: Level::of(self.on_comment),
            reply: Level::of(self.on_reply),
            like: Level::of(self.on_like),
            follow: Level::of(self.on_follow),
        }
    }
}

/// What happened to somebody, by somebody else.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    pub(super) user: UserId,
    pub(super) actor: UserId,
    pub(super) cause: Cause,
}

/// What it tells of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    /// A comment on one's feed.
    Comment { comment: CommentId, feed: FeedId },
    /// A comment on a feed on which one has commented.
    Reply { comment: CommentId, feed: FeedId },
    /// A like of one's feed.
    LikeOfFeed { feed: FeedId },
    /// A like of one's comment.
    LikeOfComment { comment: CommentId, feed: FeedId },
    /// A follow.
    Follow { id: i64 },
}

impl Cause {
    pub(super) fn kind(self) -> Kind {
        match self {
            Cause::Comment { .. } => Kind::Comment,
            Cause::Reply { .. } => Kind::Reply,
            Cause::LikeOfFeed { .. } | Cause::LikeOfComment { .. } => Kind::Like,
            Cause::Follow { .. } => Kind::Follow,
        }
    }

    /// The thing that it happened to: a feed, and one of its comments.
    pub(super) fn subject(self) -> (Option<FeedId>, Option<CommentId>) {
        match self {
            Cause::Comment { feed, .. } | Cause::Reply { feed, .. } | Cause::LikeOfFeed { feed } => (Some(feed), None),
            Cause::LikeOfComment { comment, feed } => (Some(feed), Some(comment)),
            Cause::Follow { .. } => (None, None),
        }
    }

    /// What an unread notification of it is found by.
    pub(super) fn unread_as(self) -> String {
        let kind = self.kind().name();
        match self.subject() {
            (_, Some(comment)) => format!("{kind} c{}", comment.0),
            (Some(feed), None) => format!("{kind} f{}", feed.0),
            (None, None) => kind.to_owned(),
        }
    }
}

/// Which notifications were read: one, or all, up to what had been seen of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) id: Option<NotificationId>,
    pub(super) until: i64,
}

impl Reading {
    /// # Errors
    /// 422 with every wrong field.
    pub(super) fn parse(body: &Document) -> Result<Reading> {
        let mut fields = body.fields();
        let id = fields.optional_id("id").map(NotificationId);
        let until = fields.optional_id("until").unwrap_or(i64::MAX);
        fields.finish(Reading { id, until })
    }
}

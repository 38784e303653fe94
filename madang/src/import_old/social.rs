//! Comments, likes and follows: what has lost its other side cannot be taken over, and is reported.

use std::collections::HashSet;

use greenlit::Opts;
use serde_json::json;
use unicode_normalization::UnicodeNormalization;

use super::{
    Failure, Import,
    progress::{self, Phase},
    queries,
    source::{OldComment, OldFollow, OldLike},
};
use crate::clock::Timestamp;

/// A comment as the new board has it.
#[derive(Clone)]
pub(super) struct NewComment {
    pub(super) id: i64,
    pub(super) feed: i64,
    pub(super) author: i64,
    pub(super) content: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

/// What is liked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    Feed(i64),
    Comment(i64),
}

/// A like as the new board has it.
#[derive(Clone, Copy)]
pub(super) struct NewLike {
    pub(super) target: Target,
    pub(super) user: i64,
    pub(super) created: Timestamp,
}

/// Longer comments than new ones may be are kept, and reported.
const COMMENT_LENGTH: usize = 5_000;

impl Import<'_> {
    pub(super) async fn comments(&mut self, after: i64, rows: Vec<OldComment>) -> Result<i64, Failure> {
        let db = &self.app.db;
        let feeds = queries::feeds(&mut db.single(), &ids(rows.iter().map(|row| row.feed))).await?;
        let users = queries::users(&mut db.single(), &ids(rows.iter().map(|row| row.author))).await?;
        let last = rows.last().map_or(after, |row| row.id);
        let mut new = Vec::new();
        for row in rows {
            let (feed, author) = (row.feed.filter(|id| feeds.contains(id)), row.author.filter(|id| users.contains(id)));
            let (Some(feed), Some(author)) = (feed, author) else {
                let problem = if feed.is_none() { "comment_without_feed" } else { "comment_without_author" };
                let lost = json!({"feed": row.feed, "author": row.author_name, "content": row.content,
                    "created": row.created.map(Timestamp)});
                self.report.note(problem, "comments", row.id, lost);
                continue;
            };
            let (created, updated) = self.times("comments", row.id, row.created, row.updated);
            let content: String = row.content.as_deref().unwrap_or_default().nfc().collect();
            self.judge_text("comments", row.id, "content", row.content.as_deref(), &content, COMMENT_LENGTH);
            new.push(NewComment { id: row.id, feed, author, content, created, updated });
        }
        self.report.sync()?;
        db.tx(progress::step(Phase::Comments, (after, 0)), async |tx| {
            for comment in &new {
                queries::add_comment(tx, comment).await?;
            }
            progress::reach(tx, (last, 0)).await
        })
        .await?;
        Ok(last)
    }

    pub(super) async fn likes(&mut self, after: i64, rows: Vec<OldLike>) -> Result<i64, Failure> {
        let (feeds, comments) = (ids(rows.iter().map(|row| row.feed)), ids(rows.iter().map(|row| row.comment)));
        let authors = ids(rows.iter().map(|row| row.author));
        let last = rows.last().map_or(after, |row| row.id);
        let (known_feeds, known_comments, known_users, mut liked) = self
            .app
            .db
            .read(Opts::default(), async |r| {
                Ok::<_, greenlit::Error>((
                    queries::feeds(r, &feeds).await?,
                    queries::comments(r, &comments).await?,
                    queries::users(r, &authors).await?,
                    queries::likes(r, &authors, &feeds, &comments).await?,
                ))
            })
            .await?;
        let mut new = Vec::new();
        for row in rows {
            let target = match (row.feed, row.comment) {
                (Some(feed), None) => Ok(Target::Feed(feed)),
                (None, Some(comment)) => Ok(Target::Comment(comment)),
                (Some(_), Some(_)) => Err("like_of_two"),
                (None, None) => Err("like_of_nothing"),
            };
            let user = row.author.filter(|user| known_users.contains(user));
            let judged = target.and_then(|target| match (target, user) {
                (Target::Feed(id), _) if !known_feeds.contains(&id) => Err("like_of_something_gone"),
                (Target::Comment(id), _) if !known_comments.contains(&id) => Err("like_of_something_gone"),
                (_, None) => Err("like_without_user"),
                (target, Some(user)) if !liked.insert((target, user)) => Err("duplicate_like"),
                (target, Some(user)) => Ok((target, user)),
            });
            match judged {
                Ok((target, user)) => {
                    new.push(NewLike { target, user, created: row.created.map_or(self.now, Timestamp) });
                }
                Err(problem) => {
                    let lost = json!({"feed": row.feed, "comment": row.comment, "user": row.author_name});
                    self.report.note(problem, "likes", row.id, lost);
                }
            }
        }
        self.report.sync()?;
        self.app
            .db
            .tx(progress::step(Phase::Likes, (after, 0)), async |tx| {
                for like in &new {
                    queries::add_like(tx, like).await?;
                }
                progress::reach(tx, (last, 0)).await
            })
            .await?;
        Ok(last)
    }

    pub(super) async fn follows(&mut self, after: (i64, i64), rows: Vec<OldFollow>) -> Result<(i64, i64), Failure> {
        let everybody = ids(rows.iter().flat_map(|row| [Some(row.follower), Some(row.following)]));
        let users = queries::users(&mut self.app.db.single(), &everybody).await?;
        let last = rows.last().map_or(after, |row| (row.follower, row.following));
        let mut new = Vec::new();
        for row in rows {
            let problem = if !users.contains(&row.follower) || !users.contains(&row.following) {
                Some("follow_of_nobody")
            } else if row.follower == row.following {
                Some("own_follow")
            } else {
                new.push((row.follower, row.following, row.created.map_or(self.now, Timestamp)));
                (row.copies > 1).then_some("duplicate_follow")
            };
            if let Some(problem) = problem {
                let lost = json!({"following": row.following, "copies": row.copies});
                self.report.note(problem, "follows", row.follower, lost);
            }
        }
        self.report.sync()?;
        self.app
            .db
            .tx(progress::step(Phase::Follows, after), async |tx| {
                for (follower, following, created) in &new {
                    queries::add_follow(tx, *follower, *following, *created).await?;
                }
                progress::reach(tx, last).await
            })
            .await?;
        Ok(last)
    }
}

/// Each id once.
fn ids(all: impl Iterator<Item = Option<i64>>) -> Vec<i64> {
    all.flatten().collect::<HashSet<i64>>().into_iter().collect()
}

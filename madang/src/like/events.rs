//! What likes tell of: jobs of the outbox, which commit with what they tell.

use serde::{Deserialize, Serialize};

/// The topic of jobs that tell of a new like.
pub(crate) const GIVEN: &str = "like.given";

/// A new like: what was liked, and by whom.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Given {
    Feed { feed: i64, user: i64 },
    Comment { comment: i64, user: i64 },
}

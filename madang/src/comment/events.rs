//! What comments tell of: jobs of the outbox, which commit with what they tell.

use serde::{Deserialize, Serialize};

/// The topic of jobs that tell of a new comment.
pub(crate) const WRITTEN: &str = "comment.written";

/// A new comment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) id: i64,
}

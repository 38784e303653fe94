//! What follows tell of: jobs of the outbox, which commit with what they tell.

use serde::{Deserialize, Serialize};

/// The topic of jobs that tell of a new follow.
pub(crate) const BEGUN: &str = "follow.begun";

/// Somebody follows somebody else from now on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) follower: i64,
    pub(crate) following: i64,
}

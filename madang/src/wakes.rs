//! Who wakes whom: a commit that leaves a job behind wakes the lane of the worker that does jobs of its topic, and no other, since
//! each that wakes looks into the outbox.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::sync::Notify;

/// The lanes of this process's worker by their topics. Waking is a hint, which the worker does not depend on.
#[derive(Debug, Default)]
pub struct Wakes(RwLock<HashMap<&'static str, Arc<Notify>>>);

impl Wakes {
    /// What wakes a lane that does jobs of these topics. Lanes that share a topic are woken together.
    pub fn lane(&self, topics: &[&'static str]) -> Arc<Notify> {
        let mut lanes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = topics.iter().find_map(|topic| lanes.get(topic).cloned());
        let lane = known.unwrap_or_default();
        lanes.extend(topics.iter().map(|topic| (*topic, lane.clone())));
        lane
    }

    /// Wakes those who do jobs of this topic, if this process has any.
    pub fn wake(&self, topic: &str) {
        if let Some(lane) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(topic) {
            lane.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_topic_wakes_its_lane_alone() {
        let wakes = Wakes::default();
        let (one, two) = (wakes.lane(&["a", "b"]), wakes.lane(&["c"]));
        assert!(Arc::ptr_eq(&wakes.lane(&["b", "a"]), &one), "a lane that begins again");
        let (first, second) = (one.notified(), two.notified());
        wakes.wake("b");
        wakes.wake("of nobody");
        assert!(first.now_or_never().is_some() && second.now_or_never().is_none());
    }
}

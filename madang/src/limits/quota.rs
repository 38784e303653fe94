//! The figures.

use std::{num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

/// So many at once, and so many a minute in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// At once, after a rest.
    pub burst: NonZeroU32,
    /// In the long run.
    pub per_minute: NonZeroU32,
}

impl Quota {
    /// How long it takes until one more may be done.
    pub(super) fn interval(self) -> Duration {
        Duration::from_secs(60) / self.per_minute.get()
    }

    const fn new(burst: u32, per_minute: u32) -> Quota {
        const fn at_least_one(number: u32) -> NonZeroU32 {
            match NonZeroU32::new(number) {
                Some(number) => number,
                None => NonZeroU32::MIN,
            }
        }
        Quota { burst: at_least_one(burst), per_minute: at_least_one(per_minute) }
    }
}

/// The quota of each kind of request. The defaults are what no person meets and what a flood does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Sign-ups of a network: a school class behind one address may sign up in one lesson.
    pub signup: Quota,
    /// Failed log-ins of a network, to whichever accounts.
    pub login: Quota,
    /// Failed log-ins of a network to one account.
    pub login_account: Quota,
    /// Failed log-ins of a network's neighbourhood, the /24 or IPv6 /48 around it.
    pub login_neighbourhood: Quota,
    /// Refreshed tokens of a network: a client needs one a day.
    pub refresh: Quota,
    /// Writes of a user.
    pub user: Quota,
    /// Writes of a network, whoever makes them.
    pub network: Quota,
}

impl Default for Quotas {
    fn default() -> Self {
        Quotas {
            signup: Quota::new(30, 1),
            login: Quota::new(30, 10),
            login_account: Quota::new(10, 1),
            login_neighbourhood: Quota::new(100, 30),
            refresh: Quota::new(120, 60),
            user: Quota::new(120, 60),
            network: Quota::new(1_200, 600),
        }
    }
}

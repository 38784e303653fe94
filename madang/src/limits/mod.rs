//! How much anybody may do: quotas of networks and users. Whoever exceeds one is told when to come back.
//!
//! Counted by process and in memory: a restart forgets, and several processes count each on its own.

mod bucket;
mod layer;
mod quota;

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use axum::http::request::Parts;

use self::bucket::Buckets;
pub use self::quota::{Quota, Quotas};
use crate::{
    clock::Clock,
    error::{Code, Error, Result},
    http::client::ClientAddress,
};

/// What a write with files costs, where one without costs 1: its pictures are decoded and encoded.
const UPLOAD: u32 = 5;

/// How often forgotten keys are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The quotas of the board. Clones share them.
#[derive(Clone, Debug)]
pub struct Limits(Option<Arc<Kinds>>);

#[derive(Debug)]
struct Kinds {
    signup: Buckets,
    login: Buckets,
    login_account: Buckets,
    login_neighbourhood: Buckets,
    refresh: Buckets,
    user: Buckets,
    network: Buckets,
    /// Names accounts by numbers that nobody outside can aim at.
    names: RandomState,
}

impl Limits {
    /// These quotas, or none at all.
    pub fn new(quotas: Option<&Quotas>, clock: &Clock) -> Limits {
        Limits(quotas.map(|quotas| {
            let buckets = |quota| Buckets::new(quota, clock.clone());
            Arc::new(Kinds {
                signup: buckets(quotas.signup),
                login: buckets(quotas.login),
                login_account: buckets(quotas.login_account),
                login_neighbourhood: buckets(quotas.login_neighbourhood),
                refresh: buckets(quotas.refresh),
                user: buckets(quotas.user),
                network: buckets(quotas.network),
                names: RandomState::new(),
            })
        }))
    }

    /// Counts a sign-up.
    ///
    /// # Errors
    /// 429.
    pub fn sign_up(&self, client: ClientAddress) -> Result<()> {
        self.take(|kinds| &kinds.signup, (client.network(), 0), 1)
    }

    /// Counts a refreshed token.
    ///
    /// # Errors
    /// 429.
    pub fn refresh(&self, client: ClientAddress) -> Result<()> {
        self.take(|kinds| &kinds.refresh, (client.network(), 0), 1)
    }

    /// Counts a write of a network, before anything of it is read.
    ///
    /// # Errors
    /// 429.
    pub fn network(&self, client: ClientAddress, cost: u32) -> Result<()> {
        self.take(|kinds| &kinds.network, (client.network(), 0), cost)
    }

    /// Takes back that a write of a network was counted.
    pub fn network_again(&self, client: ClientAddress, cost: u32) {
        if let Some(kinds) = &self.0 {
            kinds.network.give_back((client.network(), 0), cost);
        }
    }

    /// Counts something that somebody says in a chat, as a write of a user.
    ///
    /// # Errors
    /// 429.
    pub fn chat(&self, chat: &str) -> Result<()> {
        // Apart from users, who are of no network.
        self.take(|kinds| &kinds.user, (1, self.0.as_ref().map_or(0, |kinds| kinds.names.hash_one(chat))), 1)
    }

    /// Counts a request of a user, unless it is a read.
    ///
    /// # Errors
    /// 429.
    pub fn user(&self, user: i64, request: &Parts) -> Result<()> {
        let cost = layer::cost(&request.method, &request.headers);
        cost.map_or(Ok(()), |cost| self.take(|kinds| &kinds.user, (0, user.cast_unsigned()), cost))
    }

    /// Counts a write of a user that came by no request of his.
    ///
    /// # Errors
    /// 429.
    pub fn act(&self, user: i64, has_files: bool) -> Result<()> {
        self.take(|kinds| &kinds.user, (0, user.cast_unsigned()), if has_files { UPLOAD } else { 1 })
    }

    /// Counts a log-in as one that fails, until it is told that it [succeeded](Attempt::succeeded). An account is limited for
    /// each network on its own, so that nobody can lock its owner out.
    ///
    /// # Errors
    /// 429, whether the account exists or not.
    pub fn log_in(&self, client: ClientAddress, account: &str) -> Result<Attempt> {
        let Some(kinds) = &self.0 else { return Ok(Attempt { limits: self.clone(), keys: [(0, 0); 3] }) };
        let keys =
            [(client.neighbourhood(), 0), (client.network(), 0), (client.network(), kinds.names.hash_one(account))];
        let attempt = Attempt { limits: self.clone(), keys };
        for (at, (buckets, key)) in kinds.of_logins().into_iter().zip(keys).enumerate() {
            if let Err(wait) = buckets.take(key, 1) {
                // A refused attempt did not happen.
                attempt.give_back(at);
                return Err(refused(wait));
            }
        }
        Ok(attempt)
    }

    fn take(&self, of: impl Fn(&Kinds) -> &Buckets, key: (u128, u64), cost: u32) -> Result<()> {
        match &self.0 {
            Some(kinds) => of(kinds).take(key, cost).map_err(refused),
            None => Ok(()),
        }
    }

    /// How many requests each quota refused since the start.
    pub fn refused(&self) -> Vec<(&'static str, u64)> {
        let kinds = self.0.iter().flat_map(|kinds| kinds.all());
        kinds.map(|(name, buckets)| (name, buckets.refused())).collect()
    }

    /// Forgets those who have their whole quota again, now and then, for ever.
    pub async fn sweep(self) {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            for (_, buckets) in self.0.iter().flat_map(|kinds| kinds.all()) {
                buckets.sweep();
            }
        }
    }
}

impl Kinds {
    /// In the order of an [`Attempt`]'s keys.
    fn of_logins(&self) -> [&Buckets; 3] {
        [&self.login_neighbourhood, &self.login, &self.login_account]
    }

    fn all(&self) -> [(&'static str, &Buckets); 7] {
        [
            ("signup", &self.signup),
            ("login", &self.login),
            ("login_account", &self.login_account),
            ("login_neighbourhood", &self.login_neighbourhood),
            ("refresh", &self.refresh),
            ("user", &self.user),
            ("network", &self.network),
        ]
    }
}

/// A log-in that was counted.
#[derive(Debug)]
#[must_use = "a log-in that succeeded shall not count"]
pub struct Attempt {
    limits: Limits,
    keys: [(u128, u64); 3],
}

impl Attempt {
    /// It was the right password: it does not count.
    pub fn succeeded(self) {
        self.give_back(self.keys.len());
    }

    fn give_back(&self, first: usize) {
        if let Some(kinds) = &self.limits.0 {
            for (buckets, key) in kinds.of_logins().into_iter().zip(self.keys).take(first) {
                buckets.give_back(key, 1);
            }
        }
    }
}

fn refused(wait: Duration) -> Error {
    let seconds = wait.as_micros().div_ceil(1_000_000);
    Error::from(Code::TooManyRequests).retry_after(u32::try_from(seconds).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests;

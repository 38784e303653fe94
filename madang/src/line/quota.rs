//! How many messages may be pushed: an account has so many a month, and they shall last until its end.
//!
//! As much of them is free as of the month has passed, and a tenth beforehand: whoever waits is told more at a time.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    Line,
    client::{Failure, Quota},
};
use crate::clock::Timestamp;

/// How long what LINE said is good.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// LINE's months begin in Japan, nine hours before those of UTC.
const JAPAN: Duration = Duration::from_secs(9 * 60 * 60);
const BEFOREHAND: f64 = 0.1;

/// What LINE said last, and when.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Option<(Timestamp, Quota)>>);

/// How long to wait before one more message is pushed, if at all.
///
/// # Errors
/// Those of asking LINE.
pub(super) async fn wait(line: &Line, now: Timestamp) -> Result<Option<Duration>, Failure> {
    let kept = || line.quota.0.lock().unwrap_or_else(PoisonError::into_inner);
    let known = kept().as_ref().filter(|(at, _)| now < at.after(GOOD_FOR)).map(|(_, quota)| *quota);
    let quota = match known {
        Some(quota) => quota,
        None => {
            let quota = line.client.quota().await?;
            *kept() = Some((now, quota));
            quota
        }
    };
    let wait = pace(quota, now);
    if wait.is_none()
        && let Some((_, quota)) = kept().as_mut()
    {
        quota.used += 1;
    }
    Ok(wait)
}

/// How long the next message has to wait.
fn pace(Quota { limit, used }: Quota, now: Timestamp) -> Option<Duration> {
    let limit = limit?;
    let (begin, end) = month(now);
    if used >= limit {
        return Some(end - now_in(begin, now));
    }
    // From when on this one is free, as a share of the month.
    let share = (used as f64 + 1.0) / limit as f64 - BEFOREHAND;
    let free = end.mul_f64(share.clamp(0.0, 1.0));
    free.checked_sub(now_in(begin, now)).filter(|wait| !wait.is_zero())
}

/// How long it is until the messages of another month.
pub(super) fn until_next_month(now: Timestamp) -> Duration {
    let (begin, end) = month(now);
    end - now_in(begin, now)
}

/// When this month has begun in Japan, and how long it is.
fn month(now: Timestamp) -> (Timestamp, Duration) {
    let there = jiff::Timestamp::from_microsecond(now.after(JAPAN).0).unwrap_or_default();
    let date = there.to_zoned(jiff::tz::TimeZone::UTC).date();
    let begin = date.first_of_month();
    let days = u64::from(date.days_in_month().unsigned_abs());
    let begin = begin.to_zoned(jiff::tz::TimeZone::UTC).map_or(0, |begin| begin.timestamp().as_microsecond());
    (Timestamp(begin).before(JAPAN), Duration::from_secs(days * 24 * 60 * 60))
}

fn now_in(begin: Timestamp, now: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(now.0 - begin.0).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    fn wait(limit: u64, used: u64, now: &str) -> Option<Duration> {
        pace(Quota { limit: Some(limit), used }, at(now))
    }

    #[test]
    fn months_are_japan_s() {
        let (begin, length) = month(at("2026-11-30T14:59:59Z"));
        assert_eq!((begin, length), (at("2026-10-31T15:00:00Z"), 30 * DAY));
        let (begin, length) = month(at("2026-11-30T15:00:00Z"));
        assert_eq!((begin, length), (at("2026-11-30T15:00:00Z"), 31 * DAY));
        assert_eq!(until_next_month(at("2027-02-28T14:00:00Z")), Duration::from_secs(3_600));
        assert_eq!(month(at("2028-02-10T00:00:00Z")).1, 29 * DAY);
    }

    #[test]
    fn messages_last_for_the_month() {
        assert_eq!(pace(Quota { limit: None, used: 1_000_000 }, at("2026-11-01T00:00:00Z")), None);
        // A tenth at its beginning, a half and a tenth in its middle.
        assert_eq!(wait(200, 19, "2026-10-31T15:00:00Z"), None);
        assert_eq!(wait(200, 20, "2026-10-31T15:00:00Z"), Some(Duration::from_secs(30 * 24 * 60 * 60 / 200)));
        assert_eq!(wait(200, 119, "2026-11-15T15:00:00Z"), None);
        assert!(wait(200, 120, "2026-11-15T15:00:00Z").is_some());
        // They can be used up before it ends, but not before nine tenths of it.
        assert_eq!(wait(200, 199, "2026-11-27T15:00:00Z"), None);
        assert!(wait(200, 199, "2026-11-27T14:00:00Z").is_some());
        // None is left, or there was none.
        assert_eq!(wait(200, 200, "2026-11-29T15:00:00Z"), Some(DAY));
        assert_eq!(wait(200, 999, "2026-11-29T15:00:00Z"), Some(DAY));
        assert_eq!(wait(0, 0, "2026-11-29T15:00:00Z"), Some(DAY));
    }
}

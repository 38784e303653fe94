//! The one clock, which tests can move.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jiff::tz::Offset;
use serde::{Serialize, Serializer};

/// A point in time: microseconds since 1970, UTC. In JSON it is RFC 3339 with six digits and a Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, greenlit::Value)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// So much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }

    /// So much earlier.
    #[must_use]
    pub fn before(self, time: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

impl From<SystemTime> for Timestamp {
    /// What lies before 1970 becomes 1970.
    fn from(time: SystemTime) -> Timestamp {
        Timestamp(0).after(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.6}"),
            Err(_) => f.write_str("9999-12-31T23:59:59.999999Z"),
        }
    }
}

impl Serialize for Timestamp {
    /// A list has dozens, so it is written digit by digit; what the calendar says is jiff's.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let time = jiff::Timestamp::from_microsecond(self.0).map(|time| Offset::UTC.to_datetime(time));
        let Some(time) = time.ok().filter(|time| time.year() >= 0) else { return serializer.collect_str(self) };
        let fields: [(usize, usize, i32); 7] = [
            (0, 4, time.year().into()),
            (5, 7, time.month().into()),
            (8, 10, time.day().into()),
            (11, 13, time.hour().into()),
            (14, 16, time.minute().into()),
            (17, 19, time.second().into()),
            (20, 26, time.subsec_nanosecond() / 1_000),
        ];
        for (from, to, mut number) in fields {
            for digit in text[from..to].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        match std::str::from_utf8(&text) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_str(self),
        }
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("UTC, RFC 3339 with microseconds"))
            .examples([serde_json::json!("2026-11-22T01:29:30.000000Z")])
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {}

/// The machine's clock, moved by an offset that only tests change. Clones share the offset.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_us: Arc<AtomicI64>,
}

impl Clock {
    /// The time now. A machine whose clock stands before 1970 gets 1970.
    pub fn now(&self) -> Timestamp {
        #[allow(clippy::disallowed_methods)] // this is the clock
        let now = Timestamp::from(SystemTime::now());
        now.moved(self.offset_us.load(Relaxed))
    }

    /// Moves the clock forward, for tests of what time brings about.
    pub fn advance(&self, time: Duration) {
        self.offset_us.fetch_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX), Relaxed);
    }

    /// Moves the clock back, for tests of what that brings about.
    pub fn turn_back(&self, time: Duration) {
        self.offset_us.fetch_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX), Relaxed);
    }
}

impl Timestamp {
    fn moved(self, by_us: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(by_us).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_microseconds_and_end_in_z() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp(1_700_000_000_000_001).to_string(), "2023-11-14T22:13:20.000001Z");
        assert_eq!(Timestamp(i64::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn a_moved_clock_moves_its_clones() {
        let clock = Clock::default();
        let before = clock.clone().now();
        clock.advance(Duration::from_secs(3_600));
        assert!(clock.now() >= before.after(Duration::from_secs(3_600)));
    }
}

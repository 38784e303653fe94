use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::Request;

use super::{bucket::MOST_KEYS, *};

fn limits() -> (Limits, Clock) {
    let clock = Clock::default();
    (Limits::new(Some(&Quotas::default()), &clock), clock)
}

fn v4(a: u8, b: u8, c: u8, d: u8) -> ClientAddress {
    ClientAddress(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
}

/// How many of so many are let through.
fn passing(times: u32, mut attempt: impl FnMut(u32) -> Result<()>) -> u32 {
    (0..times).map(|i| u32::from(attempt(i).is_ok())).sum()
}

#[test]
fn a_quota_is_a_burst_and_then_a_rate() {
    let (limits, clock) = limits();
    let client = v4(192, 0, 2, 1);
    assert_eq!(passing(100, |_| limits.sign_up(client)), 30);
    let refused = limits.sign_up(client).unwrap_err();
    assert_eq!(refused.code(), Code::TooManyRequests);
    let wait = refused.retry_after_seconds().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    clock.advance(Duration::from_secs(wait.into()));
    assert_eq!(passing(100, |_| limits.sign_up(client)), 1, "whoever waits as told is let in");
    clock.advance(Duration::from_secs(24 * 3_600));
    assert_eq!(passing(100, |_| limits.sign_up(client)), 30, "a quota is never more than its burst");
    assert_eq!(passing(100, |_| limits.sign_up(v4(192, 0, 2, 2))), 30, "others have their own");
}

#[test]
fn a_write_with_files_costs_more() {
    let (limits, _) = limits();
    let request = |method: &str, content_type: &str| {
        let request = Request::builder().method(method).header("content-type", content_type);
        request.body(()).unwrap().into_parts().0
    };
    assert_eq!(passing(200, |_| limits.user(1, &request("PATCH", "application/json"))), 120);
    assert_eq!(passing(200, |_| limits.user(2, &request("POST", "Multipart/form-data; boundary=x"))), 24);
    assert_eq!(passing(200, |_| limits.user(1, &request("GET", "application/json"))), 200, "reads are free");
}

#[test]
fn a15_guessing_is_limited_and_the_owner_gets_in_from_elsewhere() {
    let (limits, _) = limits();
    let fail = |client, account: &str| limits.log_in(client, account).map(drop);
    // One account, a thousand passwords.
    assert_eq!(passing(1_000, |_| fail(v4(203, 0, 113, 9), "victim@example.com")), 10);
    assert!(limits.log_in(v4(198, 51, 100, 1), "victim@example.com").is_ok());
    // A thousand accounts, one password, from one address and from a whole neighbourhood.
    assert_eq!(passing(1_000, |i| fail(v4(192, 0, 2, 1), &format!("{i}@example.com"))), 30);
    assert_eq!(passing(1_000, |i| fail(v4(192, 0, 9, i as u8), &format!("{i}@example.com"))), 100);
    assert!(limits.log_in(v4(198, 51, 100, 1), "victim@example.com").is_ok());
}

#[test]
fn a_successful_log_in_does_not_count() {
    let (limits, _) = limits();
    let client = v4(192, 0, 2, 1);
    for _ in 0..1_000 {
        limits.log_in(client, "ann@example.com").unwrap().succeeded();
    }
    // Refused by the account's quota, an attempt counts for no other.
    assert_eq!(passing(1_000, |_| limits.log_in(client, "ann@example.com").map(drop)), 10);
    assert_eq!(passing(1_000, |i| limits.log_in(client, &i.to_string()).map(drop)), 20);
}

#[test]
fn r03_a_million_networks_take_bounded_memory() {
    let (limits, clock) = limits();
    let kinds = limits.0.clone().unwrap();
    let known = v4(192, 0, 2, 1);
    limits.sign_up(known).unwrap();
    let network = |i: u32| ClientAddress(IpAddr::V6(Ipv6Addr::from_bits(u128::from(i) << 64)));
    let passed = passing(1_000_000, |i| limits.sign_up(network(i)));
    assert!(kinds.signup.room() < 4 * MOST_KEYS, "{}", kinds.signup.room());
    // Those who are told apart, and the crowd's burst and some more.
    assert!((65_535..66_000).contains(&passed), "{passed}");
    assert_eq!(passing(100, |_| limits.sign_up(known)), 29, "who was there before is not of the crowd");

    clock.advance(Duration::from_secs(24 * 3_600));
    kinds.signup.sweep();
    assert!(kinds.signup.room() < 100, "{}", kinds.signup.room());
    limits.sign_up(network(7)).unwrap();
}

#[test]
fn limits_that_are_off_refuse_nothing() {
    let limits = Limits::new(None, &Clock::default());
    assert_eq!(passing(2_000, |_| limits.network(v4(192, 0, 2, 1), UPLOAD)), 2_000);
    assert_eq!(passing(2_000, |_| limits.log_in(v4(192, 0, 2, 1), "ann@example.com").map(drop)), 2_000);
    assert!(limits.refused().is_empty());
}

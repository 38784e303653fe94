//! Floods are told to wait; people are not.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request},
};
use madang::{
    config::{Flags, Switch},
    limits::Quota,
};
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, TestApp, form::FormData};

fn quota(burst: u32, per_minute: u32) -> Option<Quota> {
    let number = |n| NonZeroU32::new(n).unwrap();
    Some(Quota { burst: number(burst), per_minute: number(per_minute) })
}

/// A board with limits, where a request says by X-Forwarded-For where it comes from.
async fn limited(change: impl FnOnce(&mut Flags)) -> TestApp {
    TestApp::with(|flags| {
        flags.limits.limits = Some(Switch::On);
        // What comes without a socket comes from here.
        flags.server.trusted_proxies = Some(vec!["::".parse().unwrap()]);
        change(flags);
    })
    .await
}

async fn post(client: &Client, from: &str, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("x-forwarded-for", from)];
    client.request(Method::POST, path, &headers, Body::from(body.to_string())).await
}

fn account(name: &str) -> Value {
    json!({"email": format!("{name}@example.com"), "password": PASSWORD, "nickname": name})
}

#[track_caller]
fn assert_told_to_wait(answer: &Answer) -> u64 {
    answer.refused(429, "too_many_requests");
    let seconds = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    seconds
}

#[tokio::test]
async fn r01_a_flood_of_sign_ups_waits_and_others_do_not() {
    let app = limited(|flags| flags.limits.signup = quota(2, 1)).await;
    let anyone = app.anonymous();
    for name in ["one", "two"] {
        post(&anyone, "192.0.2.1", "/api/auth/signup", &account(name)).await.expect(200);
    }
    let rows = app.rows().await;
    let wait = assert_told_to_wait(&post(&anyone, "192.0.2.1", "/api/auth/signup", &account("three")).await);
    assert_eq!(app.rows().await, rows);
    // Whoever mistypes is not punished for it.
    post(&anyone, "192.0.2.1", "/api/auth/signup", &json!({"email": "x"})).await.refused(422, "invalid_input");
    post(&anyone, "192.0.2.2", "/api/auth/signup", &account("four")).await.expect(200);
    app.clock.advance(Duration::from_secs(wait));
    post(&anyone, "192.0.2.1", "/api/auth/signup", &account("three")).await.expect(200);
}

#[tokio::test]
async fn r01_a_user_who_floods_waits_wherever_he_is() {
    let app = limited(|flags| flags.limits.user = quota(12, 6)).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let create = async |client: &Client, from: &str| {
        let form = FormData::new().text("title", "again").text("content", "and again");
        let headers = [("content-type", &*form.content_type()), ("x-forwarded-for", from)];
        client.request(Method::POST, "/api/feed/create", &headers, Body::from(form.into_bytes())).await
    };
    // A form that could have files costs five.
    create(&ann, "192.0.2.1").await.expect(200);
    create(&ann, "192.0.2.2").await.expect(200);
    assert_told_to_wait(&create(&ann, "192.0.2.3").await);
    // Others write, and he may go on reading.
    create(&bob, "192.0.2.1").await.expect(200);
    ann.get("/api/mypage/profile").await.expect(200);
    // One without costs one, and two are left.
    for status in [200, 200, 429] {
        let answer = ann.urlencoded(Method::POST, "/api/feed/create", "title=t&content=c").await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(app.count("feeds").await, 5);
    app.clock.advance(Duration::from_secs(3_600));
    create(&ann, "192.0.2.3").await.expect(200);
}

#[tokio::test]
async fn r01_churn_of_follows_likes_and_comments_waits() {
    let app = limited(|flags| flags.limits.user = quota(10, 6)).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let feed = bob.create_feed("feed", &[]).await["id"].as_i64().unwrap();
    let rows = async || (app.count("follows").await, app.count("feed_likes").await, app.count("comments").await);
    let (follow, like) = (format!("/api/follow/{}", bob.id), format!("/api/like/?feed_id={feed}"));
    for _ in 0..4 {
        ann.bare(Method::PATCH, &follow).await.expect(200);
        ann.bare(Method::PATCH, &like).await.expect(200);
    }
    ann.comment(feed, "one").await;
    ann.comment(feed, "two").await;
    let before = rows().await;
    assert_eq!(before, (0, 0, 2));
    // One quota for all that he writes, by whichever method.
    for (method, path) in
        [(Method::PATCH, &follow), (Method::PUT, &follow), (Method::DELETE, &follow), (Method::PUT, &like)]
    {
        assert_told_to_wait(&ann.bare(method, path).await);
    }
    let comment = json!({"content": "three", "feed_id": feed});
    let wait = assert_told_to_wait(&ann.post("/api/comment/create", comment.clone()).await);
    assert_eq!(rows().await, before);
    bob.comment(feed, "mine").await;
    app.clock.advance(Duration::from_secs(wait));
    ann.post("/api/comment/create", comment).await.expect(200);
}

#[tokio::test]
async fn a15_guessing_waits_and_the_owner_gets_in() {
    let app = limited(|flags| {
        flags.limits.login = quota(6, 1);
        flags.limits.login_account = quota(3, 1);
        flags.limits.login_neighbourhood = quota(9, 1);
    })
    .await;
    let anyone = app.anonymous();
    post(&anyone, "198.51.100.1", "/api/auth/signup", &account("victim")).await.expect(200);
    let guess = |name: &str, password: &str| json!({"email": format!("{name}@example.com"), "password": password});
    let log_in = async |from: &str, name: &str, password: &str| {
        post(&anyone, from, "/api/auth/login", &guess(name, password)).await
    };
    // One account, many passwords: those known to the board are limited as those that are not.
    for name in ["Victim", "nobody"] {
        for n in 0..3 {
            log_in("203.0.113.9", name, &format!("guess {n}")).await.refused(401, "invalid_credentials");
        }
        assert_told_to_wait(&log_in("203.0.113.9", "VICTIM", "guess").await);
    }
    // The right password comes too late there, and in time from elsewhere.
    assert_told_to_wait(&log_in("203.0.113.9", "victim", PASSWORD).await);
    log_in("198.51.100.7", "victim", PASSWORD).await.expect(200);
    // Many accounts, one password, from all over a neighbourhood.
    for n in 0..9 {
        log_in(&format!("192.0.2.{n}"), &format!("user{n}"), PASSWORD).await.refused(401, "invalid_credentials");
    }
    assert_told_to_wait(&log_in("192.0.2.200", "user200", PASSWORD).await);
    // Those who know their password are never in the way of themselves.
    for _ in 0..20 {
        log_in("198.51.100.7", "victim", PASSWORD).await.expect(200);
    }
}

/// A request of this peer, which says that it forwards for others.
async fn from_peer(client: &Client, peer: &str, forwarded: &str) -> Answer {
    let request = Request::post("/api/auth/signup")
        .extension(ConnectInfo(SocketAddr::new(peer.parse::<IpAddr>().unwrap(), 4711)))
        .header("x-forwarded-for", forwarded)
        .header("x-real-ip", forwarded)
        .header("forwarded", format!("for={forwarded}"));
    let name = forwarded.replace(['.', ':', ','], "x").replace(' ', "");
    client.send(request.body(Body::from(account(&name).to_string())).unwrap()).await
}

#[tokio::test]
async fn a16_what_an_untrusted_peer_says_of_others_is_ignored() {
    let app = limited(|flags| {
        flags.limits.signup = quota(2, 1);
        flags.server.trusted_proxies = Some(vec!["10.0.0.0/8".parse().unwrap()]);
    })
    .await;
    let anyone = app.anonymous();
    for (n, status) in [200, 200, 429, 429].into_iter().enumerate() {
        assert_eq!(from_peer(&anyone, "192.0.2.1", &format!("203.0.113.{n}")).await.status, status);
    }
    // Behind our proxy the address counts that the proxy wrote, not what its client made up before it.
    for (n, status) in [200, 200, 429, 429].into_iter().enumerate() {
        let forwarded = format!("203.0.113.{n}, 198.51.100.4");
        assert_eq!(from_peer(&anyone, "10.1.2.3", &forwarded).await.status, status);
    }
    assert_eq!(from_peer(&anyone, "10.1.2.3", "198.51.100.5").await.status, 200);
    // A customer's IPv6 network is one.
    for (n, status) in [200, 200, 429, 429].into_iter().enumerate() {
        assert_eq!(from_peer(&anyone, &format!("2001:db8::{n}"), &format!("v6 {n}")).await.status, status);
    }
}

#[tokio::test]
async fn a_network_that_floods_waits_before_anything_is_read() {
    let app = limited(|flags| flags.limits.network = quota(3, 60)).await;
    let anyone = app.anonymous();
    for path in ["/api/feed/create", "/api/auth/signup", "/nowhere"] {
        let answer = post(&anyone, "192.0.2.1", path, &json!({})).await;
        assert!([401, 404, 422].contains(&answer.status.as_u16()), "{}", answer.status);
    }
    // A body that never comes is not waited for.
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let headers = [("x-forwarded-for", "192.0.2.1")];
    let refused = anyone.request(Method::POST, "/api/auth/signup", &headers, endless);
    assert_told_to_wait(&tokio::time::timeout(Duration::from_secs(5), refused).await.expect("it is refused"));
    let headers = [("x-forwarded-for", "192.0.2.1")];
    anyone.request(Method::GET, "/api/feed/list", &headers, Body::empty()).await.expect(200);
}

/// So many log-ins at once, while somebody reads. Returns how many were refused with these statuses.
async fn stampede(app: &TestApp, how_many: usize) -> [usize; 3] {
    let anyone = app.anonymous();
    let attempts = (0..how_many).map(|_| {
        let anyone = anyone.clone();
        tokio::spawn(async move {
            let body = json!({"email": "ann@example.com", "password": "wrong"});
            post(&anyone, "192.0.2.1", "/api/auth/login", &body).await
        })
    });
    let attempts: Vec<_> = attempts.collect();
    for _ in 0..20 {
        anyone.get("/api/feed/list").await.expect(200);
    }
    let mut counts = [0; 3];
    for attempt in attempts {
        let answer = attempt.await.unwrap();
        let at =
            [401, 429, 503].iter().position(|status| answer.status == *status).unwrap_or_else(|| panic!("{answer:?}"));
        counts[at] += 1;
        assert_eq!(answer.header("retry-after").is_empty(), at == 0, "{answer:?}");
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a17_log_ins_beyond_what_can_be_done_are_refused_at_once() {
    let app = limited(|_| {}).await;
    app.user("ann").await;
    let whole = Duration::from_secs(60);
    let [tried, limited, _] = tokio::time::timeout(whole, stampede(&app, 500)).await.expect("it ends");
    assert!(tried <= 10 && limited >= 490 - 10, "{tried} were tried, {limited} limited");

    // Without limits the line before the hashing is all there is, and its end is told at once too.
    let app = TestApp::with(|_| {}).await;
    app.user("ann").await;
    let [tried, limited, busy] = tokio::time::timeout(whole, stampede(&app, 500)).await.expect("it ends");
    assert!(tried > 0 && busy > 0 && limited == 0, "{tried} were tried, {busy} refused");
}

#[tokio::test]
async fn r02_a_stolen_token_guesses_passwords_no_faster() {
    let app = limited(|flags| flags.limits.login_account = quota(3, 1)).await;
    let user = app.user("minsu").await;
    let (password, profile) = ("/api/auth/password", "/api/mypage/profile");
    let asks = [(Method::PATCH, password), (Method::PATCH, profile), (Method::DELETE, profile)];
    let body =
        |password: &str| json!({"password": password, "new_password": "a password of now", "email": "new@example.com"});
    for (method, path) in asks.clone() {
        user.json(method, path, body("a wrong guess")).await.refused(403, "permission_denied");
    }
    for (method, path) in asks.clone() {
        assert_told_to_wait(&user.json(method, path, body(PASSWORD)).await);
    }
    app.clock.advance(Duration::from_secs(60));
    // The right one does not count.
    user.patch(password, body(PASSWORD)).await.expect(200);
    for (method, path) in asks[1..].iter().cloned() {
        user.json(method, path, body("a password of now")).await.expect(200);
    }
}

//! Forged, altered and untimely tokens.

use std::{net::TcpListener, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::support::{Answer, Client, TestApp, on_each_database};

const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;
const PROFILE: &str = "/api/mypage/profile";

/// The claims of a good token of the user 1.
fn claims(app: &TestApp) -> Value {
    let now = app.clock.now().seconds();
    json!({"sub": "1", "iss": "madang", "aud": "madang:access", "iat": now, "nbf": now, "exp": now + 3_600, "epoch": 1, "sid": 1})
}

fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn signed_by(key: &[u8], algorithm: Algorithm, header: &str, claims: &str) -> String {
    let message = unsigned(header, claims);
    let signature = crypto::sign(message.as_bytes(), &EncodingKey::from_secret(key), algorithm).unwrap();
    format!("{message}.{signature}")
}

/// A token with the board's own signature.
fn signed(app: &TestApp, claims: &str) -> String {
    signed_by(app.key().bytes(), Algorithm::HS256, HEADER, claims)
}

async fn profile(client: &Client, token: &str) -> Answer {
    let header = format!("Bearer {token}");
    client.request(Method::GET, PROFILE, &[("authorization", &header)], Body::empty()).await
}

/// Every one of these tokens is refused, and by the same answer; the user's own still works.
async fn assert_refused(app: &TestApp, user: &Client, tokens: impl IntoIterator<Item = String>) {
    let rows = app.rows().await;
    let refused = profile(user, "x.y.z").await;
    refused.refused(401, "invalid_token");
    for token in tokens {
        let answer = profile(user, &token).await;
        assert_eq!(answer.snapshot(), refused.snapshot(), "{token:.300}");
    }
    user.get(PROFILE).await.expect(200);
    assert_eq!(app.rows().await, rows);
}

on_each_database! {
    async fn a01_no_algorithm_is_refused(app: TestApp) {
        let user = app.user("minsu").await;
        let good = claims(&app).to_string();
        // What follows is refused for its one fault alone: this one is taken.
        profile(&user, &signed(&app, &good)).await.expect(200);
        let key = app.key();
        let mut tokens = Vec::new();
        for algorithm in [r#","alg":"none""#, r#","alg":"None""#, r#","alg":"nOnE""#, r#","alg":"""#, r#","alg":null"#, ""] {
            let header = format!(r#"{{"typ":"JWT"{algorithm}}}"#);
            let message = unsigned(&header, &good);
            tokens.extend([format!("{message}."), message]);
            tokens.push(signed_by(key.bytes(), Algorithm::HS256, &header, &good));
        }
        let message = unsigned(HEADER, &good);
        tokens.extend([format!("{message}."), format!("{message}.AAAA"), message, String::new(), "..".to_owned()]);
        assert_refused(&app, &user, tokens).await;
    }

    async fn a02_key_confusion_is_refused(app: TestApp) {
        let user = app.user("minsu").await;
        let good = claims(&app).to_string();
        let key = app.key();
        let hex: String = key.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let pem = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n";
        let keys = [&b""[..], b"secret", b"madang", pem.as_bytes(), hex.as_bytes(), &[0; 32], &key.bytes()[..31]];
        let mut tokens: Vec<String> =
            keys.map(|key| signed_by(key, Algorithm::HS256, HEADER, &good)).into_iter().collect();
        // Even with the right key there is one algorithm.
        for algorithm in ["HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "hs256", "HS256 "] {
            let header = format!(r#"{{"typ":"JWT","alg":"{algorithm}"}}"#);
            tokens.push(signed_by(key.bytes(), Algorithm::HS256, &header, &good));
            let own = match algorithm {
                "HS384" => Algorithm::HS384,
                _ => Algorithm::HS512,
            };
            tokens.push(signed_by(key.bytes(), own, &header, &good));
        }
        assert_refused(&app, &user, tokens).await;
    }

    async fn a03_keys_named_by_the_token_are_not_looked_at(app: TestApp) {
        let user = app.user("minsu").await;
        let good = claims(&app).to_string();
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let url = format!("http://{}/keys.json", elsewhere.local_addr().unwrap());
        let own = json!({"kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode("attacker")});
        let extras = [
            json!({"jwk": own}),
            json!({"jwk": "x"}),
            json!({"jku": url}),
            json!({"x5u": url}),
            json!({"x5c": ["MIIB"]}),
            json!({"x5c": 5}),
            json!({"kid": url}),
            json!({"kid": "../../dev/null"}),
            json!({"kid": "' union select 'attacker' --"}),
            json!({"kid": "unknown"}),
            json!({"kid": ["x"]}),
            json!({"crit": ["exp"], "b64": false}),
        ];
        let mut tokens = Vec::new();
        for extra in extras {
            let mut header: Value = serde_json::from_str(HEADER).unwrap();
            header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            for key in ["attacker", ""] {
                tokens.push(signed_by(key.as_bytes(), Algorithm::HS256, &header.to_string(), &good));
            }
        }
        assert_refused(&app, &user, tokens).await;
        assert!(elsewhere.accept().is_err(), "somebody called the address in the token");
    }

    async fn a04_claims_are_exact(app: TestApp) {
        let user = app.user("minsu").await;
        let now = app.clock.now().seconds();
        // A claim's JSON text in place of the good one; `None` leaves it out.
        let with = |name: &str, text: Option<&str>| {
            let mut good = claims(&app);
            good.as_object_mut().unwrap().remove(name);
            let rest = good.to_string();
            let claim = text.map(|text| format!(r#","{name}":{text}"#)).unwrap_or_default();
            signed(&app, &format!("{}{claim}}}", rest.strip_suffix('}').unwrap()))
        };
        let later = (now + 60).to_string();
        let fraction = format!("{later}.5");
        let ten_years_old = (now - 315_360_000).to_string();
        let mut tokens = Vec::new();
        for name in ["sub", "iss", "aud", "iat", "nbf", "exp", "epoch", "sid"] {
            for text in [None, Some("null"), Some("[]"), Some("{}"), Some("true"), Some("\"never\""), Some("1e400")] {
                tokens.push(with(name, text));
            }
        }
        for (name, texts) in [
            ("exp", &["\"9999999999\"", "-1", "0", "9223372036854775808", "1.5", &fraction, &ten_years_old][..]),
            ("nbf", &["\"0\"", &later, "9223372036854775807", "1.5"]),
            ("iat", &["\"0\"", &later, "1.5"]),
            ("epoch", &["0", "2", "-1", "\"1\"", "9223372036854775807"]),
            ("sid", &["0", "2", "-1", "\"1\"", "9223372036854775808"]),
            ("aud", &["\"madang\"", "\"\"", "\"madang:access \"", "[\"other\"]", "5"]),
            ("iss", &["\"Madang\"", "\"\"", "\"https://madang\""]),
            ("sub", &["\"2\"", "\"0\"", "\"-1\"", "\"\"", "\"x\"", "1", "\"1 \"", "\"9223372036854775808\"", "\"1' or '1\""]),
        ] {
            tokens.extend(texts.iter().map(|text| with(name, Some(text))));
        }
        tokens.extend(["", "null", "[]", "5", "{", "\"x\""].map(|claims| signed(&app, claims)));
        assert_refused(&app, &user, tokens).await;
        // The largest number is a time like another.
        profile(&user, &with("exp", Some("9223372036854775807"))).await.expect(200);
    }

    async fn a04_tokens_end_by_our_clock(app: TestApp) {
        let user = app.user("minsu").await;
        let now = app.clock.now().seconds();
        let ending = |seconds: i64| {
            let mut claims = claims(&app);
            claims["exp"] = json!(now + seconds);
            signed(&app, &claims.to_string())
        };
        // The clocks of two nodes may be five seconds apart, and no more.
        profile(&user, &ending(-3)).await.expect(200);
        profile(&user, &ending(-6)).await.refused(401, "invalid_token");
        let mut early = claims(&app);
        (early["nbf"], early["iat"]) = (json!(now + 20), json!(now + 20));
        let early = signed(&app, &early.to_string());
        profile(&user, &early).await.refused(401, "invalid_token");
        app.clock.advance(Duration::from_secs(20));
        profile(&user, &early).await.expect(200);
        // A day, less what has passed.
        app.clock.advance(Duration::from_secs(24 * 3_600 - 20));
        user.get(PROFILE).await.expect(200);
        app.clock.advance(Duration::from_secs(6));
        user.get(PROFILE).await.refused(401, "invalid_token");
        // Where nobody needs to log in, such a user is a stranger.
        user.get("/api/feed/list").await.expect(200);
    }

    async fn a_token_ends_with_its_epoch_and_its_user(app: TestApp) {
        let user = app.user("minsu").await;
        let change = async |sql: &str| {
            let all = async |tx: &mut greenlit::Tx| tx.exec(sql, vec![]).await;
            app.app.db.tx(greenlit::Opts::default(), all).await.unwrap();
        };
        change("update users set token_epoch = 2").await;
        user.get(PROFILE).await.refused(401, "invalid_token");
        change("update users set token_epoch = 1").await;
        user.get(PROFILE).await.expect(200);
        change("delete from users").await;
        user.get(PROFILE).await.refused(401, "invalid_token");
        user.urlencoded(Method::POST, "/api/feed/create", "title=t&content=c").await.refused(401, "invalid_token");
        assert_eq!(app.count("feeds").await, 0);
    }

    async fn a10_odd_tokens_are_refused(app: TestApp) {
        let user = app.user("minsu").await;
        let token = user.token.clone().unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        // The last character of 32 bytes holds two bits that mean nothing: three others decode to the same bytes.
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = alphabet.iter().position(|c| *c == *signature.as_bytes().last().unwrap()).unwrap();
        let same_bits = (1..4).map(|n| char::from(alphabet[last | n])).filter(|c| !signature.ends_with(*c));
        let mut tokens: Vec<String> =
            same_bits.map(|c| format!("{message}.{}{c}", &signature[..signature.len() - 1])).collect();
        assert!(tokens.len() >= 2);
        for tail in [".", ".x", "=", "==", "x", " ", " x", ",", "\t", ";", "%00"] {
            tokens.push(format!("{token}{tail}"));
        }
        let mut many = claims(&app);
        many.as_object_mut().unwrap().extend((0..10_000).map(|n| (format!("c{n}"), json!(n))));
        tokens.extend([signed(&app, &many.to_string()), "a".repeat(65_536), ".....".to_owned(), "a.".repeat(10_000)]);
        tokens.extend([format!(" {token}"), format!(".{token}"), token.to_uppercase(), format!("{HEADER}.{{}}.x")]);
        assert_refused(&app, &user, tokens).await;

        // Only the one header brings a token, and only once.
        let anyone = app.anonymous();
        for query in ["access_token", "token", "authorization", "bearer"] {
            anyone.get(&format!("{PROFILE}?{query}={token}")).await.refused(401, "not_authenticated");
        }
        let bearer = format!("Bearer {token}");
        for (name, value) in [("cookie", format!("access_token={token}")), ("x-authorization", bearer.clone())] {
            let answer = anyone.request(Method::GET, PROFILE, &[(name, &value)], Body::empty()).await;
            answer.refused(401, "not_authenticated");
        }
        for scheme in ["Basic ", "Token ", "JWT ", "", "Bearer", "Bearer:", "Bearer=", "Bearer\t"] {
            let value = format!("{scheme}{token}");
            let answer = anyone.request(Method::GET, PROFILE, &[("authorization", &value)], Body::empty()).await;
            answer.refused(401, "invalid_token");
        }
        for second in [bearer.as_str(), "Bearer x.y.z", ""] {
            let twice = Request::get(PROFILE).header("authorization", &bearer).header("authorization", second);
            anyone.send(twice.body(Body::empty()).unwrap()).await.refused(401, "invalid_token");
        }
        let bytes = Request::get(PROFILE).header("authorization", &b"Bearer \xff\xfe"[..]);
        anyone.send(bytes.body(Body::empty()).unwrap()).await.refused(401, "invalid_token");
    }
}

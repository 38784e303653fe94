//! Signing up, logging in, and one's own profile.

use axum::{body::Body, http::Method};
use serde_json::json;

use crate::support::{PASSWORD, assert_answer, on_each_database};

on_each_database! {
    async fn one_signs_up_and_logs_in(app: TestApp) {
        let anyone = app.anonymous();
        let minsu = json!({"email": "Minsu@Example.com", "password": PASSWORD, "nickname": "민수", "is_admin": true});
        assert_answer!(anyone.post("/api/auth/signup", minsu).await, @r#"
        200
        {
          "create_dt": "[create_dt]",
          "email": "Minsu@Example.com",
          "nickname": "민수"
        }
        "#);

        // By the address in any case.
        let login = anyone.post("/api/auth/login", json!({"email": "minsu@example.com", "password": PASSWORD})).await;
        assert_answer!(login, @r#"
        200
        {
          "access_token": "[access_token]",
          "email": "Minsu@Example.com",
          "expires_in": 86400,
          "nickname": "민수",
          "refresh_token": "[refresh_token]"
        }
        "#);

        let mut minsu = anyone.clone();
        minsu.token = login.json()["access_token"].as_str().map(str::to_owned);
        assert_answer!(minsu.get("/api/mypage/profile").await, @r#"
        200
        {
          "create_dt": "[create_dt]",
          "email": "Minsu@Example.com",
          "id": 1,
          "nickname": "민수"
        }
        "#);
        for scheme in ["bearer", "BEARER"] {
            let header = format!("{scheme} {}", minsu.token.as_deref().unwrap());
            let answer = anyone
                .request(Method::GET, "/api/mypage/profile", &[("authorization", &header)], Body::empty())
                .await;
            answer.expect(200);
        }
    }

    async fn an_address_and_a_name_are_taken_once(app: TestApp) {
        app.user("admin").await;
        let anyone = app.anonymous();
        let rows = app.rows().await;
        let signup = async |email: &str, nickname: &str| {
            let body = json!({"email": email, "password": "another password", "nickname": nickname});
            anyone.post("/api/auth/signup", body).await
        };
        assert_answer!(signup("admin@example.com", "somebody").await, @r#"
        400
        {
          "code": "email_already_registered",
          "detail": "Email Already Registered",
          "request_id": "[request_id]"
        }
        "#);
        assert_answer!(signup("other@example.com", "admin").await, @r#"
        400
        {
          "code": "nickname_already_registered",
          "detail": "Nickname Already Registered",
          "request_id": "[request_id]"
        }
        "#);
        signup("ADMIN@Example.COM", "somebody").await.refused(400, "email_already_registered");
        // Cyrillic, wide and in capitals: each looks like the name that is taken.
        for nickname in ["аdmin", "ａｄｍｉｎ", "ADMIN"] {
            signup("other@example.com", nickname).await.refused(400, "nickname_already_registered");
        }
        assert_eq!(app.rows().await, rows);
        // What was refused took neither the address nor the name.
        signup("other@example.com", "somebody").await.expect(200);
    }

    async fn simultaneous_signups_make_one_account(app: TestApp) {
        let body = json!({"email": "twin@example.com", "password": PASSWORD, "nickname": "twin"});
        let anyone = app.anonymous();
        let attempts = (0..4).map(|_| anyone.post("/api/auth/signup", body.clone()));
        let mut statuses: Vec<u16> =
            futures_util::future::join_all(attempts).await.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400, 400, 400]);
        assert_eq!(app.count("users").await, 1);
    }

    async fn every_wrong_field_of_a_signup_is_told(app: TestApp) {
        let anyone = app.anonymous();
        let answer = anyone.post("/api/auth/signup", json!({"email": "minsu", "password": "canary7", "age": 7})).await;
        assert_answer!(answer, @r#"
        422
        {
          "code": "invalid_input",
          "detail": [
            {
              "input": "minsu",
              "loc": [
                "body",
                "email"
              ],
              "msg": "Value error, Invalid Email Format",
              "type": "value_error"
            },
            {
              "input": null,
              "loc": [
                "body",
                "password"
              ],
              "msg": "String should have at least 8 characters",
              "type": "string_too_short"
            },
            {
              "input": null,
              "loc": [
                "body",
                "nickname"
              ],
              "msg": "Field required",
              "type": "missing"
            }
          ],
          "request_id": "[request_id]"
        }
        "#);
        for (body, problems) in [
            (json!({}), vec!["body.email: missing", "body.password: missing", "body.nickname: missing"]),
            (json!([]), vec!["body: model_attributes_type"]),
            (
                json!({"email": 1, "password": ["canary"], "nickname": null}),
                vec!["body.email: string_type", "body.password: string_type", "body.nickname: string_type"],
            ),
            (
                json!({"email": "a@b.co", "password": PASSWORD, "nickname": "n".repeat(31)}),
                vec!["body.nickname: string_too_long"],
            ),
        ] {
            let answer = anyone.post("/api/auth/signup", body).await;
            assert_eq!(answer.problems(), problems);
            assert!(!answer.text().contains("canary"), "{}", answer.text());
        }
        assert_eq!(app.count("users").await, 0);
    }

    async fn a_wrong_login_tells_nothing(app: TestApp) {
        app.user("minsu").await;
        let anyone = app.anonymous();
        let login = async |email: &str, password: &str| {
            anyone.post("/api/auth/login", json!({"email": email, "password": password})).await
        };
        let wrong = login("minsu@example.com", "wrong password").await;
        assert_answer!(wrong, @r#"
        401
        {
          "code": "invalid_credentials",
          "detail": "Invalid Credentials",
          "request_id": "[request_id]"
        }
        "#);
        let unknown = login("nobody@example.com", PASSWORD).await;
        assert_eq!(unknown.snapshot(), wrong.snapshot());
        let names = |answer: &crate::support::Answer| answer.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&unknown), names(&wrong));

        // A password is never judged at a login: an old one may be short.
        for password in ["", "x", "a\0b", &"x".repeat(1_000)] {
            login("minsu@example.com", password).await.refused(401, "invalid_credentials");
        }
        assert_answer!(login("minsu", PASSWORD).await, @r#"
        422
        {
          "code": "invalid_input",
          "detail": [
            {
              "input": "minsu",
              "loc": [
                "body",
                "email"
              ],
              "msg": "Value error, Invalid Email Format",
              "type": "value_error"
            }
          ],
          "request_id": "[request_id]"
        }
        "#);
        let empty = anyone.post("/api/auth/login", json!({"password": 5})).await;
        assert_eq!(empty.problems(), ["body.email: missing", "body.password: string_type"]);
    }

    async fn a_profile_needs_a_token(app: TestApp) {
        let anyone = app.anonymous();
        let profile = async |headers: &[(&str, &str)]| {
            anyone.request(Method::GET, "/api/mypage/profile", headers, Body::empty()).await
        };
        let without = profile(&[]).await;
        assert_answer!(without, @r#"
        401
        {
          "code": "not_authenticated",
          "detail": "Not Authenticated",
          "request_id": "[request_id]"
        }
        "#);
        assert_eq!(without.header("www-authenticate"), "Bearer");
        profile(&[("authorization", "")]).await.refused(401, "not_authenticated");
        let wrong = profile(&[("authorization", "Bearer x.y.z")]).await;
        assert_answer!(wrong, @r#"
        401
        {
          "code": "invalid_token",
          "detail": "Invalid Token",
          "request_id": "[request_id]"
        }
        "#);
        assert_eq!(wrong.header("www-authenticate"), "Bearer");
    }

    async fn a20_a_hash_of_the_board_before_is_replaced_at_the_first_login(app: TestApp) {
        app.user("minsu").await;
        // Published by Openwall; bcrypt stops at 72 bytes.
        let old = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
        let password = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored";
        let set = async |hash: &str| {
            let sql = "update users set password_hash = ?";
            let set = async |tx: &mut greenlit::Tx| tx.exec(sql, greenlit::args![hash]).await;
            app.app.db.tx(greenlit::Opts::default(), set).await.unwrap();
        };
        let hash = async || app.app.db.fetch_one::<(String,)>("select password_hash from users", vec![]).await.unwrap().0;
        let login = async |password: &str| {
            let body = json!({"email": "minsu@example.com", "password": password});
            app.anonymous().post("/api/auth/login", body).await
        };
        set(old).await;
        login("wrong password").await.refused(401, "invalid_credentials");
        login(&password[..71]).await.refused(401, "invalid_credentials");
        assert_eq!(hash().await, old);
        // All at once: each finds the old hash, or the new one of another.
        for answer in futures_util::future::join_all((0..4).map(|_| login(password))).await {
            answer.expect(200);
        }
        assert!(hash().await.starts_with("$argon2id$"), "{}", hash().await);
        login(password).await.expect(200);
        // From now on all of it counts.
        login(&password[..72]).await.refused(401, "invalid_credentials");

        for tampered in ["$argon2id$m=4194304", &"é".repeat(30), &old[..59], &old.replace("$05", "$31"), "$2", ""] {
            set(tampered).await;
            login(password).await.refused(401, "invalid_credentials");
            assert_eq!(hash().await, tampered);
        }
    }

    async fn i08_i10_every_database_judges_names_alike(app: TestApp) {
        let anyone = app.anonymous();
        let signup = async |n: usize, nickname: &str, email: &str| {
            let email = if email.is_empty() { format!("user{n}@example.com") } else { email.to_owned() };
            anyone.post("/api/auth/signup", json!({"email": email, "password": PASSWORD, "nickname": nickname})).await
        };
        let taken = Some("nickname_already_registered");
        for (n, (nickname, refused)) in [
            ("resume", None), ("résumé", None), ("re\u{301}sume\u{301}", None), ("r\u{e9}sum\u{e9}", taken), ("RESUME", taken),
            ("ss", None), ("ß", None), ("SS", taken), ("bob", None), ("bob ", Some("invalid_input")), ("Bob", taken),
            ("İ", None), ("i\u{307}", taken), ("аdmin", None), ("admin", taken), ("ad\u{200d}min", taken), ("ａｄｍｉｎ", taken),
            ("paypal", None), ("раураl", taken), ("a\u{202e}b", Some("invalid_input")), ("a\u{2066}b", Some("invalid_input")),
            ("\u{1b}[31mred", Some("invalid_input")), ("   ", Some("invalid_input")), ("\u{e0041}", Some("invalid_input")),
        ]
        .into_iter()
        .enumerate()
        {
            // Decomposed it would be the same as composed: NFC comes first.
            let refused = if nickname == "re\u{301}sume\u{301}" { taken } else { refused };
            let answer = signup(n, nickname, "").await;
            match refused {
                None => drop(answer.expect(200)),
                Some(code) => assert_eq!(answer.json()["code"], code, "{nickname:?}: {}", answer.text()),
            }
        }
        for (n, (email, status)) in [
            ("mike@x.com", 200), ("MIKE@X.COM", 400), ("mike+a@x.com", 200), ("ss@x.com", 200), ("SS@x.com", 400),
            ("ß@x.com", 422), ("i@x.com", 200), ("I@x.com", 400), ("İ@x.com", 422), ("bob@x.com", 200), ("bob @x.com", 422),
        ]
        .into_iter()
        .enumerate()
        {
            let answer = signup(n, &format!("mail {n}"), email).await;
            assert_eq!(answer.status.as_u16(), status, "{email}: {}", answer.text());
        }
    }

    async fn defect_14_errors_tell_neither_sql_nor_passwords(app: TestApp) {
        app.user("minsu").await;
        let anyone = app.anonymous();
        let password = "canary of a password";
        for body in [
            json!({"email": "minsu@example.com", "password": password, "nickname": "other"}),
            json!({"email": "other@example.com", "password": password, "nickname": "minsu"}),
            json!({"email": "other", "password": password, "nickname": ""}),
            json!({"email": "other@example.com", "password": [password], "nickname": "other"}),
            json!({"email": "other@example.com", "passwort": password, "nickname": "other"}),
        ] {
            let answer = anyone.post("/api/auth/signup", body).await;
            assert!(answer.status.is_client_error(), "{}", answer.text());
            let text = answer.text().to_lowercase();
            for word in ["canary", "insert", "select", "users", "hash", "argon2", "constraint", "error:"] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
    }

    async fn defect_15_a_login_tells_nobody_who_has_an_account(app: TestApp) {
        let user = app.user("minsu").await;
        let feed = user.create_feed("title", &[]).await;
        let login = async |email: &str| {
            let started = std::time::Instant::now();
            let body = json!({"email": email, "password": "wrong password"});
            app.anonymous().post("/api/auth/login", body).await.refused(401, "invalid_credentials");
            started.elapsed()
        };
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for _ in 0..9 {
            known.push(login("minsu@example.com").await);
            unknown.push(login("nobody@example.com").await);
        }
        known.sort();
        unknown.sort();
        // The old board took 27 times as long for one as for the other; here a machine that is busy gets some room.
        assert!(known[4] < unknown[4] * 4 && unknown[4] < known[4] * 4, "{known:?} {unknown:?}");

        // An address is its owner's to see.
        let read = app.anonymous().get(&format!("/api/feed/read/{}", feed["id"])).await;
        assert!(!read.text().contains("minsu@"), "{}", read.text());
        // Others are served while passwords are hashed.
        let logins = futures_util::future::join_all((0..8).map(|_| login("minsu@example.com")));
        let reads = async {
            for _ in 0..20 {
                app.anonymous().get("/api/feed/list").await.expect(200);
            }
            std::time::Instant::now()
        };
        let started = std::time::Instant::now();
        let (_, read) = tokio::join!(logins, reads);
        assert!(read - started < std::time::Duration::from_secs(10), "reads waited for log-ins");
    }
}

#[tokio::test]
async fn a_board_may_be_closed_to_newcomers() {
    let app = crate::support::TestApp::with(|flags| flags.account.signup = Some(madang::config::Signup::Closed)).await;
    let body = json!({"email": "minsu@example.com", "password": PASSWORD, "nickname": "minsu"});
    assert_answer!(app.anonymous().post("/api/auth/signup", body).await, @r#"
    403
    {
      "code": "signup_closed",
      "detail": "Sign-Up Is Closed",
      "request_id": "[request_id]"
    }
    "#);
    assert_eq!(app.count("users").await, 0);
}

//! Passwords and addresses, through sign-up and log-in.

use serde_json::json;

use crate::support::{Answer, Client, PASSWORD, on_each_database};

async fn signup(client: &Client, email: &str, password: &str, nickname: &str) -> Answer {
    client.post("/api/auth/signup", json!({"email": email, "password": password, "nickname": nickname})).await
}

async fn login(client: &Client, email: &str, password: &str) -> Answer {
    client.post("/api/auth/login", json!({"email": email, "password": password})).await
}

on_each_database! {
    async fn a13_a_password_verifies_only_itself(app: TestApp) {
        let anyone = app.anonymous();
        let seventy_two = "x".repeat(72);
        let long = "가".repeat(128);
        // Each with another that a careless board would take for it.
        for (n, (password, other)) in [
            (format!("{seventy_two}a"), format!("{seventy_two}b")),
            (" Pass word 한글 ".to_owned(), "Pass word 한글".to_owned()),
            ("caf\u{e9} caf\u{e9}".to_owned(), "cafe\u{301} cafe\u{301}".to_owned()),
            ("🍜🍜🍜🍜🍜🍜🍜👩‍👩‍👧".to_owned(), "🍜🍜🍜🍜🍜🍜🍜👩👩👧".to_owned()),
            (long.clone(), long[..long.len() - 3].to_owned()),
            ("Some Password".to_owned(), "some password".to_owned()),
            ("before the null".to_owned(), "before the null\0 and after".to_owned()),
        ]
        .into_iter()
        .enumerate()
        {
            let email = format!("user{n}@example.com");
            signup(&anyone, &email, &password, &format!("user{n}")).await.expect(200);
            login(&anyone, &email, &password).await.expect(200);
            login(&anyone, &email, &other).await.refused(401, "invalid_credentials");
        }
        app.assert_consistent().await;
    }

    async fn a13_bad_passwords_are_refused_at_signup(app: TestApp) {
        let anyone = app.anonymous();
        let long = "x".repeat(1_025);
        for (password, kind) in [
            ("", "string_too_short"),
            ("1234567", "string_too_short"),
            ("가가가가가가가", "string_too_short"),
            (&long[..129], "string_too_long"),
            (&long[..1_024], "string_too_long"),
            (&long, "string_too_long"),
            ("with a \0 inside", "value_error"),
            ("password", "value_error"),
            ("PassWord1", "value_error"),
            ("12345678", "value_error"),
            ("qwertyuiop", "value_error"),
            ("minsu.kim@example.com", "value_error"),
            ("Minsu.Kim", "value_error"),
            ("minsukim", "value_error"),
            ("madangmadang", "value_error"),
        ] {
            let answer = signup(&anyone, "minsu.kim@example.com", password, "minsukim").await;
            assert_eq!(answer.problems(), [format!("body.password: {kind}")], "{password}");
            assert_eq!(answer.json()["detail"][0]["input"], json!(null));
        }
        let huge = "x".repeat(1 << 20);
        signup(&anyone, "minsu@example.com", &huge, "minsu").await.refused(413, "body_too_large");
        login(&anyone, "minsu@example.com", &huge).await.refused(413, "body_too_large");
        assert_eq!(login(&anyone, "minsu@example.com", &long).await.problems(), ["body.password: string_too_long"]);
        assert_eq!(app.count("users").await, 0);
        // The least that will do.
        signup(&anyone, "minsu.kim@example.com", "8 chars.", "minsukim").await.expect(200);
    }

    async fn a14_addresses_that_look_alike(app: TestApp) {
        let anyone = app.anonymous();
        signup(&anyone, "mike@x.com", PASSWORD, "mike").await.expect(200);
        signup(&anyone, "Mike@X.com", PASSWORD, "other").await.refused(400, "email_already_registered");
        let rows = app.rows().await;
        let long = format!("{}@{}.com", "a".repeat(64), ["b".repeat(61), "b".repeat(61), "b".repeat(61)].join("."));
        for email in [
            "m\u{131}ke@x.com",
            "mi\u{212a}e@x.com",
            "mi\u{fb00}ke@x.com",
            "mike＠x.com",
            "mike@x。com",
            "mike@ｘ.com",
            "ß@x.com",
            "mike@bücher.example",
            "mike@x.com\r\nBcc: evil@y.com",
            "mike@x.com,evil@y.com",
            "mike@x.com;evil@y.com",
            "\"mike\"@x.com",
            "Mike <mike@x.com>",
            "mike@[127.0.0.1]",
            "mike@127.0.0.1",
            "mike@x.com ",
            " mike@x.com",
            "mike@x.com\0",
            "mike@x.com.",
            "mike@localhost",
            "mike(comment)@x.com",
            "@x.com",
            "mike",
            "",
            &format!("{long}m"),
            &"a".repeat(10_000),
        ] {
            for answer in [signup(&anyone, email, PASSWORD, "other").await, login(&anyone, email, PASSWORD).await] {
                let problems = answer.problems();
                assert!(problems.iter().all(|problem| problem.starts_with("body.email: ")), "{email}: {problems:?}");
            }
        }
        assert_eq!(app.rows().await, rows);
        // These are others, however near they look.
        for (n, email) in ["mike@xn--x-yia.com", "mike+1@x.com", "m.ike@x.com", "ss@x.com", &long].into_iter().enumerate() {
            signup(&anyone, email, "another password", &format!("other{n}")).await.expect(200);
            login(&anyone, email, PASSWORD).await.refused(401, "invalid_credentials");
        }
        assert_eq!(login(&anyone, "MIKE@x.COM", PASSWORD).await.expect(200)["nickname"], "mike");
    }
}

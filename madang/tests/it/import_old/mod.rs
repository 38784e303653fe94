//! Taking over an old board, with everything that was wrong with it.

mod old;
mod resume;
mod s3;

use std::{collections::BTreeMap, path::Path, time::Duration};

use greenlit::testing::Scratch;
use indicatif::ProgressBar;
use madang::import_old::{Options, Origin, Summary, import};
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp, on_each_database, pictures};
use old::{BCRYPT, ImageServer, TABLES, database};

const DAY: &str = "2024-01-02 03:04:05.000006+00";

/// An old board with one of everything that can be wrong.
async fn quirky() -> (Scratch, ImageServer) {
    let files = [
        ("/a.png", pictures::png()),
        ("/b.jpg", pictures::jpeg()),
        ("/broken.png", b"<html>".to_vec()),
        ("/large.png", vec![0; 11 << 20]),
    ];
    let server = ImageServer::start(&files, Duration::ZERO).await;
    let base = &server.base;
    let long_title = "t".repeat(300);
    let long_name = "n".repeat(40);
    let eleven = vec![format!("\"{base}/a.png\""); 11].join(", ");
    let script = format!(
        "{TABLES}
        insert into users (id, email, password, nickname, create_dt) values
            (1, 'ann@example.com', '{BCRYPT}', 'ann', '{DAY}'),
            (2, 'ANN@example.com', '{BCRYPT}', 'Аnn', '{DAY}'),
            (3, 'not an address', '{BCRYPT}', '{long_name}', '{DAY}'),
            (5, 'bob@example.com', '5f4dcc3b5aa765d61d8327deb882cf99', null, null);
        insert into feeds (id, title, content, image_urls, author_email, create_dt, update_dt) values
            (1, '{long_title}', 'cafe\u{301}', '[\"{base}/a.png\", \"{base}/missing.png\", \"{base}/b.jpg\"]',
                'ann@example.com', '{DAY}', '2024-02-03 00:00:00+00'),
            (2, 'second', 'of bob', null, 'bob@example.com', '{DAY}', null),
            (3, 'orphan', 'lost feed', '[\"{base}/a.png\"]', 'nobody@example.com', '{DAY}', '{DAY}'),
            (4, 'many', 'images', '[{eleven}]', 'ann@example.com', '{DAY}', '{DAY}'),
            (7, null, 'bad images', '[\"{base}/broken.png\", \"{base}/large.png\", \"{base}/moved\", \"file:///etc/passwd\", 5]',
                'ANN@example.com', '{DAY}', '{DAY}'),
            (8, 'strange', 'no array', '\"nonsense\"', 'ann@example.com', '{DAY}', '{DAY}');
        insert into comments (id, content, feed_id, author_email, create_dt, update_dt) values
            (1, 'fine', 1, 'bob@example.com', '{DAY}', null),
            (2, 'lost words', null, 'ann@example.com', '{DAY}', '{DAY}'),
            (3, 'dangling', 99, 'ann@example.com', '{DAY}', '{DAY}'),
            (4, 'of nobody', 1, 'nobody@example.com', '{DAY}', '{DAY}'),
            (6, 'of the orphan', 3, 'ann@example.com', '{DAY}', '{DAY}');
        insert into likes (id, user_id, feed_id, comment_id) values
            (1, 1, 1, null), (2, 1, 1, null), (3, 1, 1, 1), (4, 1, null, null), (5, 1, 99, null), (6, 5, null, 1),
            (7, 77, 1, null), (8, 5, 1, null);
        insert into follows values (1, 5), (5, 1), (2, 5), (1, 1), (1, 77);
        select setval('users_id_seq', 40), setval('feeds_id_seq', 30), setval('comments_id_seq', 20);"
    );
    (database(script).await, server)
}

async fn take_over(app: &TestApp, from: &str, report: &Path, origin: Origin) -> Result<Summary, String> {
    let options =
        Options { from: from.to_owned(), images: origin, report: report.to_owned(), bar: ProgressBar::hidden() };
    import(&app.app, options).await.map_err(|e| e.0)
}

fn local() -> Origin {
    Origin { allow_private: true, ..Origin::default() }
}

/// The report's lines as `problem table id`, but for what is always left behind.
fn problems(report: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(report).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows = lines.filter(|line| line["problem"] != "column_left_behind");
    let mut told: Vec<String> = rows
        .map(|line| format!("{} {} {}", line["problem"].as_str().unwrap(), line["table"].as_str().unwrap(), line["id"]))
        .collect();
    told.sort();
    told
}

on_each_database! {
    async fn an_old_board_is_taken_over_with_its_ids_and_quirks(app: TestApp) {
        let (scratch, server) = quirky().await;
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.jsonl");
        let from = scratch.url().replacen("postgres://", "postgresql+asyncpg://", 1);
        let summary = take_over(&app, &from, &report, local()).await.unwrap();
        let rows: BTreeMap<&str, (Option<i64>, i64)> = summary.rows.iter().map(|(name, old, new)| (*name, (*old, *new))).collect();
        assert_eq!(rows["users"], (Some(4), 4));
        assert_eq!(rows["feeds"], (Some(6), 5));
        assert_eq!(rows["comments"], (Some(5), 1));
        assert_eq!(rows["likes"], (Some(8), 3));
        assert_eq!(rows["follows"], (Some(5), 3));
        assert_eq!(rows["images"], (None, 13));

        let told = problems(&report);
        let expected = [
            "changed_nickname users 2", "changed_nickname users 3", "changed_nickname users 5",
            "comment_without_author comments 4", "comment_without_feed comments 2", "comment_without_feed comments 3",
            "comment_without_feed comments 6", "duplicate_email users 2", "duplicate_like likes 2",
            "feed_without_author feeds 3", "follow_of_nobody follows 1", "image_missing feeds 1", "image_missing feeds 7",
            "image_missing feeds 7", "image_not_fetched feeds 7", "image_not_fetched feeds 8", "image_refused feeds 7",
            "invalid_email users 3", "like_of_nothing likes 4", "like_of_something_gone likes 5", "like_of_two likes 3",
            "like_without_user likes 7", "long_text feeds 1", "many_images feeds 4", "own_follow follows 1",
            "text_missing feeds 7", "time_missing users 5", "unknown_password_hash users 5", "unreadable_image_urls feeds 7",
        ];
        assert_eq!(told, expected);
        let text = std::fs::read_to_string(&report).unwrap();
        for kept in ["lost words", "dangling", "lost feed", "of nobody", "users.birthday", "ANN@example.com", "file:///etc/passwd"] {
            assert!(text.contains(kept), "{kept}");
        }
        assert!(!text.contains(BCRYPT) && !text.contains("5f4dcc3b"), "no hash is told");
        assert_eq!(u64::try_from(text.lines().count()).unwrap(), summary.problems.values().sum::<u64>());
        // The redirect was not followed, and nothing was fetched for a feed that is not there.
        assert_eq!(server.requests(), 3 + 11 + 3);
    }

    async fn a_board_that_was_taken_over_serves(app: TestApp) {
        let (scratch, _server) = quirky().await;
        let folder = tempfile::tempdir().unwrap();
        take_over(&app, scratch.url(), &folder.path().join("report.jsonl"), local()).await.unwrap();
        let anonymous = app.anonymous();

        let feed = anonymous.get("/api/feed/read/1").await.expect(200);
        assert_eq!(feed["title"].as_str().unwrap().len(), 300);
        assert_eq!(feed["content"], "caf\u{e9}");
        assert_eq!(feed["create_dt"], "2024-01-02T03:04:05.000006Z");
        assert_eq!(feed["update_dt"], "2024-02-03T00:00:00.000000Z");
        assert_eq!((&feed["author_id"], &feed["author_nickname"]), (&json!(1), &json!("ann")));
        assert_eq!((&feed["like_count"], &feed["comment_count"]), (&json!(2), &json!(1)));
        let urls: Vec<&str> = feed["image_urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap()).collect();
        assert_eq!(urls.len(), 2);
        assert!(urls[0].ends_with(".png") && urls[1].ends_with(".jpg"), "{urls:?}");
        for url in urls {
            let path = url.strip_prefix("http://board.test").unwrap();
            assert_eq!(anonymous.get(path).await.status, 200);
        }
        let second = anonymous.get("/api/feed/read/2").await.expect(200);
        assert_eq!(second["update_dt"], second["create_dt"]);
        assert_eq!(second["author_nickname"], "user-5");
        assert_eq!(anonymous.get("/api/feed/read/4").await.expect(200)["image_urls"].as_array().unwrap().len(), 11);
        assert_eq!(anonymous.get("/api/feed/read/7").await.expect(200)["author_nickname"], "Аnn-2");
        anonymous.get("/api/feed/read/3").await.refused(404, "feed_not_found");
        let list = anonymous.get("/api/feed/list").await.expect(200);
        assert_eq!(list["pagination"]["total_count"], 5);
        assert_eq!(anonymous.get("/api/feed/list-by-user?user_id=1").await.expect(200)["total_count"], 3);

        let counts = "select feed_count, comment_count, follower_count, following_count from users where id = ?";
        let of = async |id: i64| app.app.db.fetch_one::<(i64, i64, i64, i64)>(counts, greenlit::args![id]).await.unwrap();
        assert_eq!((of(1).await, of(5).await), ((3, 0, 1, 1), (1, 1, 2, 1)));
        assert!(crate::check::findings(&app, false).await.is_empty());
        app.assert_consistent().await;

        // No id is used again, not even those that the old board had used up, and new members are as welcome as ever.
        let new = app.user("new").await;
        assert_eq!(new.id, 41);
        assert_eq!(new.create_feed("new", &[pictures::png()]).await["id"], 31);
        let login = json!({"email": "bob@example.com", "password": "password"});
        anonymous.post("/api/auth/login", login).await.refused(401, "invalid_credentials");
        let taken = json!({"email": "Ann@Example.com", "nickname": "another", "password": PASSWORD});
        anonymous.post("/api/auth/signup", taken).await.refused(400, "email_already_registered");
    }

    async fn an_old_password_is_kept_as_it_was(app: TestApp) {
        let (scratch, _server) = quirky().await;
        let folder = tempfile::tempdir().unwrap();
        take_over(&app, scratch.url(), &folder.path().join("report.jsonl"), local()).await.unwrap();
        let sql = "select id from users where password_hash = ? order by id";
        let kept: Vec<(i64,)> = app.app.db.fetch(sql, greenlit::args![BCRYPT]).await.unwrap();
        assert_eq!(kept, [(1,), (2,), (3,)]);
    }

    async fn what_cannot_be_taken_over_is_refused_and_leaves_nothing(app: TestApp) {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.jsonl");
        let strange = database("create table users (id uuid primary key, email varchar, nickname varchar);
            create table posts (id bigint primary key, title varchar, body text, author_id bigint, images text[],
                created_at timestamp)".to_owned()).await;
        let e = take_over(&app, strange.url(), &report, local()).await.unwrap_err();
        for missing in ["users.id is of type uuid", "users.password", "users.create_dt or created_at", "a table comments", "a table likes", "a table follows"] {
            assert!(e.contains(missing), "{missing}: {e}");
        }
        assert!(!e.contains("posts"), "{e}");
        for from in ["sqlite:old.db", "mysql://a@b/c", "nonsense"] {
            assert!(take_over(&app, from, &report, local()).await.unwrap_err().contains("--from"), "{from}");
        }

        let (scratch, _server) = quirky().await;
        app.user("ann").await;
        let before = app.rows().await;
        let e = take_over(&app, scratch.url(), &report, local()).await.unwrap_err();
        assert!(e.contains("empty"), "{e}");
        assert_eq!(app.rows().await, before);
        assert!(!report.exists());
    }

    async fn u17_addresses_of_this_machine_are_not_fetched(app: TestApp) {
        let (scratch, server) = quirky().await;
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.jsonl");
        take_over(&app, scratch.url(), &report, Origin::default()).await.unwrap();
        assert_eq!((server.requests(), app.count("images").await, app.count("feeds").await), (0, 0, 5));
        let told = problems(&report).into_iter().filter(|line| line.starts_with("image_not_fetched")).count();
        assert_eq!(told, 3 + 11 + 4 + 1);
    }

    async fn another_spelling_of_the_tables_and_a_folder_of_images(app: TestApp) {
        let scratch = database(format!("
            create table \"user\" (id bigserial primary key, email text, hashed_password text, username text, created_at timestamp);
            create table posts (id bigserial primary key, title text, body text, images text[], user_id bigint,
                created_at timestamp, updated_at timestamp);
            create table comment (id bigserial primary key, body text, post_id bigint, user_id bigint, created_at timestamp);
            create table \"like\" (id bigserial primary key, user_id bigint, post_id bigint, comment_id bigint, created_at timestamp);
            create table follow (id bigserial primary key, follower_id bigint, followed_id bigint, created_at timestamp);
            insert into \"user\" values (3, 'kim@example.com', '{BCRYPT}', 'kim', '2020-02-29 23:59:59.999999'),
                (4, 'lee@example.com', '{BCRYPT}', 'lee', 'infinity');
            insert into posts values (6, 'a', 'b', array['https://s3.example/bucket/one/a%20b.png', 'https://cdn.example/two.png',
                'https://cdn.example/../../etc/passwd'], 3, '2020-03-01', null);
            insert into comment values (9, 'c', 6, 4, '2020-03-02');
            insert into \"like\" values (1, 4, 6, null, '2020-03-03'), (2, 3, null, 9, '2020-03-04');
            insert into follow values (1, 4, 3, '2020-03-05'), (2, 4, 3, '2020-03-06');")).await;
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        std::fs::create_dir_all(images.join("one")).unwrap();
        std::fs::write(images.join("one/a b.png"), pictures::png()).unwrap();
        std::fs::write(images.join("two.png"), pictures::png()).unwrap();
        let report = folder.path().join("report.jsonl");
        let origin = Origin { folder: Some(images), ..Origin::default() };
        take_over(&app, scratch.url(), &report, origin).await.unwrap();
        assert_eq!(problems(&report), ["duplicate_follow follows 4", "image_missing feeds 6", "time_missing users 4"]);
        let feed = app.anonymous().get("/api/feed/read/6").await.expect(200);
        assert_eq!((&feed["like_count"], &feed["comment_count"]), (&json!(1), &json!(1)));
        assert_eq!(feed["create_dt"], "2020-03-01T00:00:00.000000Z");
        assert_eq!(feed["image_urls"].as_array().unwrap().len(), 2);
        let (created,) = app.app.db.fetch_one::<(i64,)>("select create_dt from users where id = 3", vec![]).await.unwrap();
        assert_eq!(created, 1_583_020_799_999_999);
    }

    async fn importing_twice_does_nothing(app: TestApp) {
        let (scratch, server) = quirky().await;
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.jsonl");
        let first = take_over(&app, scratch.url(), &report, local()).await.unwrap();
        let (text, requests) = (std::fs::read_to_string(&report).unwrap(), server.requests());
        let second = take_over(&app, scratch.url(), &report, local()).await.unwrap();
        assert_eq!((first.rows, first.problems), (second.rows, second.problems));
        assert_eq!((std::fs::read_to_string(&report).unwrap(), server.requests()), (text, requests));
    }
    async fn an_old_password_logs_in_and_is_hashed_anew(app: TestApp) {
        let (scratch, _server) = quirky().await;
        let folder = tempfile::tempdir().unwrap();
        take_over(&app, scratch.url(), &folder.path().join("report.jsonl"), local()).await.unwrap();
        let hash = async |id: i64| {
            app.app.db.fetch_one::<(String,)>("select password_hash from users where id = ?", greenlit::args![id]).await.unwrap().0
        };
        let login = async |email: &str, password: &str| {
            app.anonymous().post("/api/auth/login", json!({"email": email, "password": password})).await
        };
        login("ann@example.com", "another one").await.refused(401, "invalid_credentials");
        assert_eq!(hash(1).await, BCRYPT);
        let answer = login("ANN@example.com", PASSWORD).await.expect(200);
        assert_eq!((&answer["nickname"], &answer["email"]), (&json!("ann"), &json!("ann@example.com")));
        assert!(hash(1).await.starts_with("$argon2id$"), "{}", hash(1).await);
        assert_eq!((hash(2).await, hash(3).await), (BCRYPT.to_owned(), BCRYPT.to_owned()), "others have not logged in");
        login("ann@example.com", PASSWORD).await.expect(200);
        login("ann@example.com", "another one").await.refused(401, "invalid_credentials");
    }
}

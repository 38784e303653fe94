//! Forms without an end, without a beginning, or with too much of everything.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum::{
    body::{Body, Bytes},
    http::Method,
};
use futures_util::stream;

use super::{CREATE, Target};
use crate::support::{Client, form::FormData, on_each_database, pictures};

/// A part of a form with the boundary `XX`.
fn part(disposition: &str, data: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{data}\r\n")
}

/// The texts that every feed needs.
fn texts() -> String {
    part("name=title", "t") + &part("name=content", "c")
}

/// A body that goes on for a gigabyte, and how many of its pieces were taken.
fn gigabyte(start: String, piece: &'static [u8]) -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let first = std::iter::once(Bytes::from(start));
    let rest = (0..(1 << 30) / piece.len()).map(move |_| {
        count.fetch_add(1, Relaxed);
        Bytes::from_static(piece)
    });
    (Body::from_stream(stream::iter(first.chain(rest).map(Ok::<_, Infallible>))), taken)
}

on_each_database! {
    async fn u09_parts_have_a_cap(app: TestApp) {
        let target = Target::new(app).await;
        for (count, status) in [(31, 413), (100, 413), (10_000, 413)] {
            for field in ["name=x", "name=\"\"", "name=x; filename=a", "name=title", "name=images; filename=\"\""] {
                let body = texts() + &part(field, "").repeat(count) + "--XX--\r\n";
                for answer in target.send(|| Body::from(body.clone())).await {
                    answer.refused(status, "too_many_fields");
                }
            }
        }
        let many = pictures::png();
        let form = FormData::new().text("title", "t").text("content", "c").files("images", &vec![many; 11]);
        target.author.form(Method::POST, CREATE, form).await.refused(422, "too_many_images");
        // Up to the cap, what nobody asked for is ignored and a repeated text counts once.
        let body = texts() + &part("name=x", "y").repeat(29) + &part("name=title", "last") + "--XX--\r\n";
        let [create, update] = target.send(|| Body::from(body.clone())).await;
        assert_eq!(create.expect(200)["title"], update.expect(200)["title"]);
        let id = create.json()["id"].clone();
        target.author.delete(&format!("/api/feed/delete/{id}")).await.expect(200);
        target.unharmed().await;
    }

    async fn u10_endless_texts_and_files_are_cut_off(app: TestApp) {
        let target = Target::new(app).await;
        static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];
        for (field, code, megabytes) in [
            ("name=content", "body_too_large", 2),
            ("name=unknown", "body_too_large", 2),
            ("name=images; filename=a", "image_too_large", 12),
            ("name=new_images; filename=a", "image_too_large", 12),
            ("name=unknown; filename=a", "image_too_large", 12),
        ] {
            let start = part(field, "").trim_end_matches("\r\n").to_owned() + "\r\n\r\n";
            let taken = Mutex::new(Vec::new());
            let body = || {
                let (body, count) = gigabyte(start.clone(), &PIECE);
                taken.lock().unwrap().push(count);
                body
            };
            for answer in target.send(body).await {
                answer.refused(413, code);
            }
            for count in taken.lock().unwrap().iter() {
                assert!(count.load(Relaxed) <= megabytes * 16, "{field}: {count:?} pieces");
            }
        }
        target.unharmed().await;
    }

    async fn u11_what_stands_around_parts_has_a_cap(app: TestApp) {
        let target = Target::new(app).await;
        static LINES: [u8; 64 * 1024] = {
            let mut lines = [b'\r'; 64 * 1024];
            let mut at = 1;
            while at < lines.len() {
                lines[at] = b'\n';
                at += 2;
            }
            lines
        };
        static LETTERS: [u8; 64 * 1024] = [b'a'; 64 * 1024];
        let head = "--XX\r\nContent-Disposition: form-data; name=title\r\nX-Long: ";
        for (start, piece) in [
            (String::new(), &LINES),
            (String::new(), &LETTERS),
            (texts() + "--XX--\r\n", &LETTERS),
            (texts() + "--XX--\r\n", &LINES),
            (head.to_owned(), &LETTERS),
            (texts() + "--XX", &LETTERS),
        ] {
            let taken = Mutex::new(Vec::new());
            let body = || {
                let (body, count) = gigabyte(start.clone(), piece);
                taken.lock().unwrap().push(count);
                body
            };
            for answer in target.send(body).await {
                answer.refused(400, "broken_body");
            }
            for count in taken.lock().unwrap().iter() {
                assert!(count.load(Relaxed) <= 4, "{start:?}: {count:?} pieces");
            }
        }
        let headers = "X-Header: 1\r\n".repeat(33);
        let body = format!("--XX\r\n{headers}Content-Disposition: form-data; name=title\r\n\r\nt\r\n--XX--\r\n");
        for answer in target.send(|| Body::from(body.clone())).await {
            answer.refused(400, "broken_body");
        }
        target.unharmed().await;
    }

    async fn u12_forms_that_are_none_are_broken(app: TestApp) {
        let target = Target::new(app).await;
        let whole = texts() + "--XX--\r\n";
        let long = format!("multipart/form-data; boundary={}", "X".repeat(10_000));
        for kind in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\"X<X\"",
            "multipart/mixed; boundary=XX",
            "multipart/form-data; boundary=YY",
            &long,
        ] {
            let body = || Body::from(whole.clone());
            let create = target.author.request(Method::POST, CREATE, &[("content-type", kind)], body()).await;
            create.refused(400, "broken_body");
            let update = target.author.request(Method::PATCH, &target.update(), &[("content-type", kind)], body()).await;
            update.refused(400, "broken_body");
        }
        for body in [
            String::new(),
            "--XX".to_owned(),
            "--XX--".to_owned() + "\n" + &"-".repeat(20_000),
            texts(),
            texts() + "--XX",
            texts() + "--XX-",
            whole.replace("\r\n", "\n"),
            whole.replace("--XX", "-- XX"),
        ] {
            for answer in target.send(|| Body::from(body.clone())).await {
                answer.refused(400, "broken_body");
            }
        }
        // A boundary inside the data is data unless a line begins with it.
        let body = part("name=title", "--XXt --XX") + &part("name=content", "a\r\n--X\r\n-XX\r\n\r\n--x") + "--XX--";
        let [create, update] = target.send(|| Body::from(body.clone())).await;
        update.expect(200);
        let feed = create.expect(200);
        assert_eq!((&feed["title"], &feed["content"]), (&"--XXt --XX".into(), &"a\r\n--X\r\n-XX\r\n\r\n--x".into()));
        target.author.delete(&format!("/api/feed/delete/{}", feed["id"])).await.expect(200);
        target.unharmed().await;
    }

    async fn h05_what_can_be_refused_is_refused_unread(app: TestApp) {
        let target = Target::new(app).await;
        let unread = || {
            Body::from_stream(stream::poll_fn(|_| -> std::task::Poll<Option<Result<Bytes, Infallible>>> {
                panic!("the body was read")
            }))
        };
        let form = ("content-type", "multipart/form-data; boundary=XX");
        let bad = ("authorization", "Bearer nonsense");
        let nobody = target.app.anonymous();
        for (method, path) in [(Method::POST, CREATE.to_owned()), (Method::PATCH, target.update())] {
            let ask = async |client: &Client, headers: &[(&str, &str)]| {
                client.request(method.clone(), &path, headers, unread()).await
            };
            ask(&nobody, &[form]).await.refused(401, "not_authenticated");
            ask(&nobody, &[form, bad]).await.refused(401, "invalid_token");
            ask(&target.author, &[form, ("content-length", "10737418240")]).await.refused(413, "body_too_large");
            ask(&target.author, &[form, ("content-encoding", "gzip")]).await.refused(415, "unsupported_encoding");
        }
        target.unharmed().await;
    }
}

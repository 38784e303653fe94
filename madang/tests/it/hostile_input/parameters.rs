//! Paths and queries.

use axum::{body::Body, http::Method};

use super::Stage;
use crate::support::on_each_database;

on_each_database! {
    async fn i01_ids(app: TestApp) {
        let stage = Stage::set(app).await;
        for (id, kind) in [
            ("0", "greater_than_equal"),
            ("-1", "greater_than_equal"),
            ("-9223372036854775808", "greater_than_equal"),
            ("9223372036854775808", "int_parsing_size"),
            ("18446744073709551616", "int_parsing_size"),
            (&"9".repeat(1_000), "int_parsing_size"),
            ("1e19", "int_parsing"),
            ("1.0", "int_parsing"),
            ("%201", "int_parsing"),
            ("+1", "int_parsing"),
            ("0x1", "int_parsing"),
            ("%D9%A1", "int_parsing"),
            ("%EF%BC%91", "int_parsing"),
            ("1%27", "int_parsing"),
            ("1;drop%20table%20feeds", "int_parsing"),
            ("1%20or%201=1", "int_parsing"),
            ("1%00", "int_parsing"),
            ("null", "int_parsing"),
            ("..", "int_parsing"),
        ] {
            let expected = [format!("path.feed_id: {kind}")];
            assert_eq!(stage.user.get(&format!("/api/feed/read/{id}")).await.problems(), expected, "{id:.50}");
            assert_eq!(stage.user.delete(&format!("/api/feed/delete/{id}")).await.problems(), expected, "{id:.50}");
            let path = format!("/api/feed/update/{id}");
            let update = stage.user.urlencoded(Method::PATCH, &path, "title=t&content=c").await;
            assert_eq!(update.problems(), expected, "{id:.50}");
            let list = stage.user.get(&format!("/api/feed/list-by-user?user_id={id}")).await;
            assert_eq!(list.problems(), [format!("query.user_id: {kind}")], "{id:.50}");
        }
        // The largest id is one like another, and a digit may be written in percent.
        let largest = i64::MAX;
        stage.user.get(&format!("/api/feed/read/{largest}")).await.refused(404, "feed_not_found");
        stage.user.delete(&format!("/api/feed/delete/{largest}")).await.refused(404, "feed_not_found");
        let list = stage.user.get(&format!("/api/feed/list-by-user?user_id={largest}")).await.expect(200);
        assert_eq!(list["total_count"], 0);
        assert_eq!(stage.user.get("/api/feed/read/%31").await.expect(200), stage.feed);
        stage.assert_unharmed().await;
    }

    async fn i02_limits_and_skips(app: TestApp) {
        let stage = Stage::set(app).await;
        for list in ["list?", "list-by-user?user_id=1&"] {
            for (query, problem) in [
                ("limit=0", "query.limit: greater_than_equal"),
                ("limit=-1", "query.limit: greater_than_equal"),
                ("limit=101", "query.limit: less_than_equal"),
                ("limit=1000000000", "query.limit: less_than_equal"),
                ("limit=9223372036854775808", "query.limit: int_parsing_size"),
                ("limit=abc", "query.limit: int_parsing"),
                ("limit=", "query.limit: int_parsing"),
                ("limit", "query.limit: int_parsing"),
                ("limit=1.5", "query.limit: int_parsing"),
                ("limit=10&limit=0", "query.limit: greater_than_equal"),
                ("skip=-1", "query.skip: greater_than_equal"),
                ("skip=9223372036854775808", "query.skip: int_parsing_size"),
                ("skip=0;delete", "query.skip: int_parsing"),
            ] {
                let answer = stage.user.get(&format!("/api/feed/{list}{query}")).await;
                assert_eq!(answer.problems(), [problem], "{query}");
            }
            for query in ["skip=1000000000", "skip=9223372036854775807&limit=100", "limit=0&limit=1&skip=1", "limit[]=0&skip=1"] {
                let page = stage.user.get(&format!("/api/feed/{list}{query}")).await.expect(200);
                assert_eq!(page["feeds"].as_array().unwrap().len(), 0, "{query}");
            }
            let many = "x=1&".repeat(101);
            stage.user.get(&format!("/api/feed/{list}{many}")).await.refused(413, "too_many_fields");
        }
        // Dates in headers are nobody's business here.
        let nested = format!("Sun, 06 Nov 1994 08:49:37 {}", "(".repeat(5_000));
        for date in ["Tue, 30 Feb 2026 00:00:00 +9999", "+275760-09-13T00:00:00Z", &nested] {
            for name in ["date", "if-modified-since", "if-unmodified-since", "if-range"] {
                let answer = stage.user.request(Method::GET, "/api/feed/list", &[(name, date)], Body::empty()).await;
                answer.expect(200);
            }
        }
        stage.assert_unharmed().await;
    }

    async fn i11_orders_are_named(app: TestApp) {
        let stage = Stage::set(app).await;
        for (list, names) in [
            ("list?", "'create_dt_desc', 'create_dt_asc', 'update_dt_desc' or 'update_dt_asc'"),
            ("list-by-user?user_id=1&", "'id_desc', 'id_asc', 'create_dt_desc' or 'create_dt_asc'"),
        ] {
            for order in [
                "",
                "id",
                "id;DROP%20TABLE%20feeds",
                "create_dt--",
                "(CASE%20WHEN%201=1%20THEN%20id%20END)",
                "password_hash",
                "author_email_desc",
                "create_dt_desc,1",
                "%20create_dt_desc",
                "CREATE_DT_DESC",
                "title_asc",
            ] {
                let answer = stage.user.get(&format!("/api/feed/{list}sort_by={order}")).await;
                assert_eq!(answer.problems(), ["query.sort_by: enum"], "{order}");
                assert_eq!(answer.json()["detail"][0]["msg"], format!("Input should be {names}"));
            }
        }
        // Those of the other list.
        for order in ["id_desc", "id_asc"] {
            let answer = stage.user.get(&format!("/api/feed/list?sort_by={order}")).await;
            assert_eq!(answer.problems(), ["query.sort_by: enum"]);
        }
        stage.assert_unharmed().await;
    }
}

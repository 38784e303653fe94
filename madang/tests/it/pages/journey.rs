//! What people do on the board, from their sign-up to their farewell.

use super::{feed_of, photo, text_of, value_of};
use crate::support::{PASSWORD, form::FormData, on_each_database};

on_each_database! {
    async fn two_people_use_the_board(app: TestApp) {
        let (mut ann, mut bob) = (app.member("ann").await, app.member("bob").await);

        // Ann writes with two photos.
        let compose = ann.page("/write").await;
        let photos = [photo(900, 600), photo(300, 400)];
        let form = FormData::new()
            .text("key", &value_of(&compose, "key"))
            .text("title", "A walk <3")
            .text("content", "**early**\r\nin the morning")
            .files("images", &photos);
        let feed = feed_of(&ann.upload("/write", form).await);
        app.work().await;
        let page = bob.page(&format!("/feed/{feed}")).await;
        assert!(page.contains("A walk &#60;3"), "{page}");
        assert!(page.contains("<strong>early</strong><br"), "{page}");
        assert_eq!(page.matches("<img ").count(), 2, "{page}");
        assert!(page.contains("width=\"900\" height=\"600\""), "{page}");
        assert!(page.contains(".640.jpg 640w, "), "{page}");
        assert!(!page.contains(&format!("/feed/{feed}/edit")), "not Bob's to change");

        // Bob likes it, comments, and follows her.
        assert_eq!(bob.submit(&format!("/feed/{feed}/like"), &[]).await.leads(), format!("/feed/{feed}#like-feed-{feed}"));
        let comment = [("content", "Lovely."), ("key", "k1")];
        let said = bob.submit(&format!("/feed/{feed}/comment"), &comment).await;
        let id: i64 = said.leads().split("#comment-").nth(1).unwrap().parse().unwrap();
        assert_eq!(bob.submit(&format!("/user/{}/follow", ann.id), &[]).await.leads(), format!("/user/{}", ann.id));
        let page = ann.page(&format!("/feed/{feed}")).await;
        assert!(page.contains("Lovely.") && page.contains("<span class=\"unseen\">Like </span><span class=\"count\">1</span>"), "{page}");
        assert_eq!(text_of(&page, "comment-count"), "1");
        assert_eq!(text_of(&ann.page(&format!("/user/{}", ann.id)).await, "follower-count"), "1 follower");
        assert!(bob.page("/timeline").await.contains("A walk"));
        assert!(ann.page(&format!("/user/{}/followers", ann.id)).await.contains("bob"));
        assert!(ann.page(&format!("/user/{}/followings", bob.id)).await.contains("ann"));
        assert!(bob.page("/my/comments").await.contains("Lovely."));

        // Ann takes a photo out and adds another; Bob changes his comment and likes hers.
        let edit = ann.page(&format!("/feed/{feed}/edit")).await;
        let form = FormData::new()
            .text("key", &value_of(&edit, "key"))
            .text("title", "A walk")
            .text("content", "late")
            .text("target_image_urls", &value_of(&edit, "target_image_urls"))
            .files("new_images", &[photo(200, 200)]);
        assert_eq!(feed_of(&ann.upload(&format!("/feed/{feed}/edit"), form).await), feed);
        app.work().await;
        let page = ann.page(&format!("/feed/{feed}")).await;
        assert_eq!(page.matches("<img ").count(), 2, "{page}");
        assert!(page.contains("width=\"200\"") && !page.contains("width=\"900\""), "{page}");
        assert!(bob.page(&format!("/comment/{id}/edit")).await.contains("Lovely."));
        bob.submit(&format!("/comment/{id}/edit"), &[("content", "Lovely!")]).await.leads();
        ann.submit(&format!("/comment/{id}/like"), &[]).await.leads();
        ann.submit(&format!("/comment/{id}/unlike"), &[]).await.leads();
        assert!(ann.page(&format!("/feed/{feed}")).await.contains("Lovely!"));
        assert!(ann.page("/my").await.contains("A walk"));

        // They take it all back.
        bob.submit(&format!("/comment/{id}/delete"), &[]).await.leads();
        bob.submit(&format!("/feed/{feed}/unlike"), &[]).await.leads();
        bob.submit(&format!("/user/{}/unfollow", ann.id), &[]).await.leads();
        assert_eq!(ann.submit(&format!("/feed/{feed}/delete"), &[]).await.leads(), "/");
        assert_eq!(ann.get(&format!("/feed/{feed}")).await.status.as_u16(), 404);
        assert_eq!(ann.submit("/settings/delete", &[("password", PASSWORD)]).await.leads(), "/");
        assert!(ann.cookies.is_empty());
        assert_eq!(bob.get(&format!("/user/{}", ann.id)).await.status.as_u16(), 404);
        app.assert_consistent().await;
    }

    async fn a_form_that_is_sent_twice_takes_effect_once(app: TestApp) {
        let mut ann = app.member("ann").await;
        let form = |title: &str| {
            FormData::new().text("key", "same").text("title", title).text("content", "c").files("images", &[photo(10, 10)])
        };
        let first = feed_of(&ann.upload("/write", form("one")).await);
        assert_eq!(feed_of(&ann.upload("/write", form("one")).await), first);
        let other = ann.upload("/write", form("another")).await;
        assert_eq!(other.status.as_u16(), 422, "{}", other.text());
        assert!(other.text().contains("This form was sent before") && other.text().contains("another"));
        for _ in 0..2 {
            ann.submit(&format!("/feed/{first}/comment"), &[("key", "c"), ("content", "hello")]).await.leads();
        }
        assert_eq!((app.count("feeds").await, app.count("comments").await), (1, 1));
        app.assert_consistent().await;
    }
}

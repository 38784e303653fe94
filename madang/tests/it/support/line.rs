//! A board with an account at LINE, and people who chat with it.

use std::{ops::Deref, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request},
};
use greenlit::{Opts, Tx, testing::Scratch};
use line_stub::{Accepted, Channel, Stub, user_id};
use madang::config::{Flags, Line};
use serde_json::Value;

use super::{Answer, PASSWORD, TestApp, browser::Browser, bucket::Bucket};

pub(crate) const WEBHOOK: &str = "/api/line/webhook";

/// A board, and a LINE of its own.
pub(crate) struct LineApp {
    pub(crate) board: TestApp,
    pub(crate) line: Stub,
}

impl Deref for LineApp {
    type Target = TestApp;
    fn deref(&self) -> &TestApp {
        &self.board
    }
}

impl LineApp {
    pub(crate) async fn sqlite() -> LineApp {
        LineApp::on(Scratch::sqlite().unwrap(), None, |_| {}).await
    }

    pub(crate) async fn postgres() -> LineApp {
        LineApp::on(Scratch::postgres().await.unwrap(), Bucket::new().await, |_| {}).await
    }

    pub(crate) async fn mariadb() -> LineApp {
        LineApp::on(Scratch::mariadb().await.unwrap(), Bucket::new().await, |_| {}).await
    }

    /// On SQLite, of an operator who decided something else.
    pub(crate) async fn with(change: impl FnOnce(&mut Flags)) -> LineApp {
        LineApp::on(Scratch::sqlite().unwrap(), None, change).await
    }

    async fn on(scratch: Scratch, bucket: Option<Bucket>, change: impl FnOnce(&mut Flags)) -> LineApp {
        let line = Stub::start(Channel::default()).await.unwrap();
        let flags = settings(&line);
        let board = TestApp::on(scratch, bucket, |all| {
            all.line = flags;
            change(all);
        });
        LineApp { board: board.await, line }
    }

    /// Somebody who has LINE, with the language that he told it.
    pub(crate) fn phone(&self, number: u64, language: &str) -> Phone<'_> {
        let id = user_id(number);
        self.line.add_user(&id, &format!("LINE {number}"), language);
        Phone { app: self, id }
    }

    /// Somebody with an account whose chat is linked with it.
    pub(crate) async fn linked(&self, number: u64, name: &str) -> (Browser, Phone<'_>) {
        let (mut browser, phone) = (self.member(name).await, self.phone(number, "en"));
        phone.link(&mut browser).await;
        (browser, phone)
    }

    /// Delivers events as LINE does.
    pub(crate) async fn deliver(&self, events: Vec<Value>) -> Answer {
        let signed = self.line.webhook(events);
        self.deliver_signed(signed.body, Some(&signed.signature)).await
    }

    pub(crate) async fn deliver_signed(&self, body: Vec<u8>, signature: Option<&str>) -> Answer {
        let mut request =
            Request::builder().method(Method::POST).uri(WEBHOOK).header("content-type", "application/json");
        if let Some(signature) = signature {
            request = request.header("x-line-signature", signature);
        }
        self.anonymous().send(request.body(Body::from(body)).unwrap()).await
    }

    /// Makes every job due that is not parked, as if time had passed.
    pub(crate) async fn hasten(&self) {
        let hasten = "update greenlit_outbox set due = 0 where due < 9000000000000000000";
        self.app.db.tx(Opts::default(), async |tx: &mut Tx| tx.exec(hasten, vec![]).await).await.unwrap();
    }

    /// The same, and has all of them done.
    pub(crate) async fn work_off(&self) {
        self.work().await;
        self.hasten().await;
        self.work().await;
    }

    /// Time passes, for the board and for LINE.
    pub(crate) fn advance(&self, time: Duration) {
        self.clock.advance(time);
        self.line.advance(time);
    }

    /// How many jobs were given up.
    pub(crate) async fn parked(&self) -> usize {
        self.app.db.outbox().parked(1_000).await.unwrap().len()
    }

    /// All that was said in somebody's chat.
    pub(crate) fn said(&self, id: &str) -> Vec<Accepted> {
        self.line.accepted().into_iter().filter(|accepted| accepted.to == id).collect()
    }
}

/// What a board needs to know of a LINE.
pub(crate) fn settings(line: &Stub) -> Line {
    let Channel { secret, token, .. } = line.channel();
    Line {
        line_channel_secret: Some(secret),
        line_channel_token: Some(token),
        line_base_url: Some(line.api_url()),
        line_data_url: Some(line.data_url()),
        line_bot_user_id: None,
    }
}

/// Somebody's chat with the board.
pub(crate) struct Phone<'a> {
    app: &'a LineApp,
    pub(crate) id: String,
}

impl Phone<'_> {
    /// Has an event delivered and answered; returns the messages that were said meanwhile.
    pub(crate) async fn send(&self, event: Value) -> Vec<Value> {
        let before = self.app.said(&self.id).len();
        self.app.deliver(vec![event]).await.expect(200);
        self.app.work().await;
        self.app.said(&self.id)[before..].iter().flat_map(|accepted| accepted.messages.clone()).collect()
    }

    pub(crate) async fn say(&self, text: &str) -> Vec<Value> {
        self.send(self.app.line.text_message(&self.id, text)).await
    }

    pub(crate) async fn press(&self, data: &str) -> Vec<Value> {
        self.send(self.app.line.postback(&self.id, data)).await
    }

    pub(crate) async fn photo(&self, message_id: &str, bytes: Vec<u8>) -> Vec<Value> {
        self.app.line.put_content(message_id, "image/jpeg", bytes);
        self.send(self.app.line.image_message(&self.id, message_id)).await
    }

    /// Asks for a link; returns the path of our page with its token.
    pub(crate) async fn ask_for_link(&self) -> String {
        let messages = self.say("link").await;
        let url = messages[0]["template"]["actions"][0]["uri"].as_str().unwrap_or_else(|| panic!("{messages:?}"));
        url.strip_prefix("http://board.test").unwrap().to_owned()
    }

    /// Agrees on the board, by the page at this path; returns LINE's token and our nonce.
    pub(crate) async fn agree(&self, browser: &mut Browser, path: &str) -> (String, String) {
        let token = path.split("linkToken=").nth(1).unwrap();
        let token = percent_encoding::percent_decode_str(token).decode_utf8().unwrap().into_owned();
        let fields = [("linkToken", token.as_str()), ("password", PASSWORD)];
        let page = browser.submit("/line/link", &fields).await;
        assert_eq!(page.status.as_u16(), 200, "{}", page.text());
        let page = page.text();
        let onward = page.split("https://access.line.me/dialog/bot/accountLink?").nth(1).expect("the way to LINE");
        let onward = onward.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
        let value = |name: &str| {
            let value = onward.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap();
            percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned()
        };
        assert_eq!(value("linkToken"), token);
        (token, value("nonce"))
    }

    /// Comes back from LINE after agreeing there; returns what is said then.
    pub(crate) async fn arrive(&self, (token, nonce): &(String, String)) -> Vec<Value> {
        let event = self.app.line.visit_account_link(token, nonce, &self.id).expect("a good nonce");
        self.send(event).await
    }

    /// Goes the whole way.
    pub(crate) async fn link(&self, browser: &mut Browser) {
        let path = self.ask_for_link().await;
        let agreed = self.agree(browser, &path).await;
        let messages = self.arrive(&agreed).await;
        assert!(text(&messages).contains("linked"), "{messages:?}");
    }
}

/// All words of messages.
pub(crate) fn text(messages: &[Value]) -> String {
    fn collect(value: &Value, words: &mut String) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    if let (true, Some(text)) = (["text", "altText"].contains(&key.as_str()), value.as_str()) {
                        words.push_str(text);
                        words.push('\n');
                    } else {
                        collect(value, words);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
            _ => {}
        }
    }
    let mut words = String::new();
    messages.iter().for_each(|message| collect(message, &mut words));
    words
}

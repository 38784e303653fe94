//! A browser that uses the pages without scripts: it keeps cookies, follows no redirect by itself, and says what browsers say.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::Body,
    http::{Method, Request, header},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Answer, Client, PASSWORD, TestApp, form::FormData};

/// Somebody's browser.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) language: &'static str,
    /// Whether one of the board's scripts sends the forms.
    pub(crate) scripts: bool,
    /// The user's id, once he has signed up.
    pub(crate) id: i64,
}

impl Browser {
    pub(crate) fn of(router: Router) -> Browser {
        let client = Client::of(router);
        Browser { client, cookies: BTreeMap::new(), language: "en", scripts: false, id: 0 }
    }

    /// The same, with forms sent by scripts.
    pub(crate) fn with_scripts(&self) -> Browser {
        Browser { scripts: true, ..self.clone() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    /// The page, which is there.
    pub(crate) async fn page(&mut self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{path}");
        answer.text()
    }

    /// Sends a form.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, path, &headers, Body::from(pairs.join("&"))).await
    }

    /// Sends a form with files.
    pub(crate) async fn upload(&mut self, path: &str, form: FormData) -> Answer {
        let content_type = form.content_type();
        self.send(Method::POST, path, &[("content-type", &content_type)], Body::from(form.into_bytes())).await
    }

    /// Sends anything as a browser does, unless `headers` say otherwise.
    pub(crate) async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let accept = if self.scripts { "application/json" } else { "text/html,application/xhtml+xml,*/*;q=0.8" };
        let defaults = [
            ("host", "board.test"),
            ("accept", accept),
            ("accept-language", self.language),
            ("sec-fetch-site", "same-origin"),
            ("origin", "http://board.test"),
        ];
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in defaults.into_iter().filter(|(name, _)| !headers.iter().any(|(other, _)| other == name)) {
            request = request.header(name, value);
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let answer = self.client.send(request.body(body).unwrap()).await;
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

impl Answer {
    /// Where a form leads to.
    #[track_caller]
    pub(crate) fn leads(&self) -> &str {
        assert_eq!(self.status.as_u16(), 303, "{}", self.text());
        self.header("location")
    }
}

impl TestApp {
    /// A browser that is not logged in.
    pub(crate) fn browser(&self) -> Browser {
        Browser::of(self.router.clone())
    }

    /// A browser of somebody who has just signed up by its page.
    pub(crate) async fn member(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let email = format!("{name}@example.com");
        let fields = [("email", email.as_str()), ("nickname", name), ("password", PASSWORD), ("next", "/")];
        assert_eq!(browser.submit("/signup", &fields).await.leads(), "/");
        let page = browser.page("/").await;
        browser.id = page.split("data-user=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        browser
    }
}

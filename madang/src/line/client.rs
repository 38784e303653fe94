//! Calls LINE's Messaging API: <https://developers.line.biz/en/reference/messaging-api/>.
//!
//! Nothing is tried again here. Whoever calls learns from the [`Failure`] whether LINE may have done it all the same, and
//! repeats a push with the same key, which LINE does once.

mod failure;
#[cfg(test)]
mod tests;

use std::time::Duration;

use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    redirect::Policy,
    retry,
};
use serde_json::{Value, json};

pub(super) use self::failure::Failure;
use super::event;
use crate::config::LineSettings;

type Result<T> = std::result::Result<T, Failure>;

const CONNECT: Duration = Duration::from_secs(3);
/// From the connection to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
const CONTENT_PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of an answer.
const MOST_ANSWER: usize = 64 << 10;

/// The API, for the board's own account.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    data: String,
    token: String,
    authorization: HeaderValue,
    patience: Duration,
    content_patience: Duration,
}

/// What LINE knows of a person.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) display_name: String,
    /// As BCP 47 has it.
    pub(super) language: Option<String>,
}

/// Messages of this month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) limit: Option<u64>,
    pub(super) used: u64,
}

/// The board's account at LINE.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BotInfo {
    pub(super) user_id: String,
    /// By which people find it: `@` and letters.
    pub(super) basic_id: String,
}

impl Client {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn new(settings: &LineSettings) -> std::result::Result<Client, String> {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .retry(retry::never())
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(2)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("madang/", env!("CARGO_PKG_VERSION")));
        let http = http.build().map_err(|e| format!("LINE cannot be called: {e}"))?;
        let authorization = HeaderValue::try_from(format!("Bearer {}", settings.channel_token));
        let mut authorization = authorization.map_err(|_| "line.channel_token cannot be sent".to_owned())?;
        authorization.set_sensitive(true);
        Ok(Client {
            http,
            base: settings.base_url.clone(),
            data: settings.data_url.clone(),
            token: settings.channel_token.clone(),
            authorization,
            patience: PATIENCE,
            content_patience: CONTENT_PATIENCE,
        })
    }

    /// Answers an event, once and within a minute of it. LINE has no key for it: what is [`Lost`](Failure::Lost) may have
    /// been said.
    pub(super) async fn reply(&self, token: &str, messages: &[Value]) -> Result<()> {
        let body = json!({"replyToken": token, "messages": messages});
        self.send(self.post("/v2/bot/message/reply", &body)).await.map(drop)
    }

    /// Says something to a user. With the same key, a UUID, it is said once, however often it is sent within a day.
    pub(super) async fn push(&self, to: &str, retry_key: &str, messages: &[Value]) -> Result<()> {
        let body = json!({"to": id(to)?, "messages": messages});
        let request = self.post("/v2/bot/message/push", &body).header("X-Line-Retry-Key", id(retry_key)?);
        match self.send(request).await {
            // It was accepted before.
            Err(Failure::Refused { status: 409, .. }) => Ok(()),
            sent => sent.map(drop),
        }
    }

    /// Begins to link a user's account: good for ten minutes, once.
    pub(super) async fn link_token(&self, user: &str) -> Result<String> {
        let path = format!("/v2/bot/user/{}/linkToken", id(user)?);
        let request = self.request(Method::POST, &path).header("content-length", "0");
        text(&self.json(request).await?, "linkToken")
    }

    /// What LINE knows of a user, if he is a friend of the account.
    pub(super) async fn profile(&self, user: &str) -> Result<Option<Profile>> {
        let path = format!("/v2/bot/profile/{}", id(user)?);
        match self.json(self.request(Method::GET, &path)).await {
            Err(Failure::Refused { status: 404, .. }) => Ok(None),
            answer => {
                let answer = answer?;
                Ok(Some(Profile {
                    display_name: text(&answer, "displayName")?,
                    language: text(&answer, "language").ok(),
                }))
            }
        }
    }

    /// How much may be pushed this month, and how much was.
    pub(super) async fn quota(&self) -> Result<Quota> {
        let limit = self.json(self.request(Method::GET, "/v2/bot/message/quota")).await?;
        let used = self.json(self.request(Method::GET, "/v2/bot/message/quota/consumption")).await?;
        let limit = match text(&limit, "type")?.as_str() {
            "limited" => Some(number(&limit, "value")?),
            _ => None,
        };
        Ok(Quota { limit, used: number(&used, "totalUsage")? })
    }

    /// Who we are.
    pub(super) async fn bot_info(&self) -> Result<BotInfo> {
        let answer = self.json(self.request(Method::GET, "/v2/bot/info")).await?;
        Ok(BotInfo { user_id: text(&answer, "userId")?, basic_id: text(&answer, "basicId")? })
    }

    /// What somebody sent, if it has no more bytes than `cap`. LINE keeps it a while; it is untrusted.
    pub(super) async fn content(&self, message_id: &str, cap: usize) -> Result<Vec<u8>> {
        let url = format!("{}/v2/bot/message/{}/content", self.data, id(message_id)?);
        let answer = self.send(self.http.get(url).timeout(self.content_patience)).await?;
        // 202: LINE is still at it.
        if answer.status() != StatusCode::OK {
            return Err(Failure::Lost(format!("LINE has the content not yet: {}", answer.status())));
        }
        read(answer, cap).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).timeout(self.patience)
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, path).header(CONTENT_TYPE, "application/json").body(body.to_string())
    }

    async fn json(&self, request: RequestBuilder) -> Result<Value> {
        let answer = read(self.send(request).await?, MOST_ANSWER).await?;
        event::json(&answer).ok_or_else(|| Failure::Lost("LINE answers with what is no JSON".to_owned()))
    }

    /// Sends a request; every answer but a success is a failure.
    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let answer = request.header(AUTHORIZATION, self.authorization.clone()).send().await;
        let answer = answer.map_err(Failure::of_request)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = read(answer, MOST_ANSWER).await.unwrap_or_default();
        let failure = Failure::of_answer(status, &body, &self.token);
        tracing::debug!(%status, "LINE refuses: {failure}");
        Err(failure)
    }
}

/// Reads no more of an answer than so many bytes.
async fn read(mut answer: Response, cap: usize) -> Result<Vec<u8>> {
    if answer.content_length().is_some_and(|length| length > cap as u64) {
        return Err(Failure::TooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(Failure::of_request)? {
        if piece.len() > cap - bytes.len() {
            return Err(Failure::TooLarge);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// An id as it may stand in a path.
fn id(id: &str) -> Result<&str> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    if (1..=64).contains(&id.len()) && id.bytes().all(plain) {
        return Ok(id);
    }
    Err(Failure::Refused { status: 400, message: "not sent: there is no such id".to_owned() })
}

fn text(answer: &Value, key: &str) -> Result<String> {
    answer[key].as_str().map(str::to_owned).ok_or_else(|| without(key))
}

fn number(answer: &Value, key: &str) -> Result<u64> {
    answer[key].as_u64().ok_or_else(|| without(key))
}

fn without(key: &str) -> Failure {
    Failure::Lost(format!("LINE's answer has no {key}"))
}

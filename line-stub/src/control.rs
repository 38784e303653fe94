//! For tests that are not in Rust: what [`Line`] can be told and asked, below `/_stub/` on the port of the API, without a
//! token. Bodies are JSON, except of `content/ID` and `sign`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Accepted, Fault, How, Line, Seen, Signed,
    http::{Answer, Request},
    redelivered,
};

/// The answer to a request that is for the stub and not for LINE.
pub(crate) fn answer(line: &Line, request: &Request) -> Option<Answer> {
    let command = request.path.strip_prefix("/_stub/")?;
    Some(match (request.method.as_str(), command) {
        ("GET", "channel") => channel(line),
        ("GET", "accepted") => list(line.accepted().iter().map(accepted)),
        ("GET", "requests") => list(line.requests().iter().map(seen)),
        ("POST", "sign") => Answer::json(200, &json!({"signature": line.signed(&request.body)})),
        ("POST", command) if command.starts_with("content/") => {
            let kind = request.header("content-type").unwrap_or("application/octet-stream");
            line.put_content(&command["content/".len()..], kind, request.body.to_vec());
            Answer::json(200, &json!({}))
        }
        ("POST", command) => match request.json() {
            Err(refusal) => refusal,
            Ok(body) => match told(line, command, &Fields(&body)) {
                Some(answer) => Answer::json(200, &answer),
                None => Answer::error(400, format!("line-stub does not understand {command} with {body}")),
            },
        },
        _ => Answer::not_found(),
    })
}

/// The properties of a command; one that is missing or of another type makes it senseless.
struct Fields<'a>(&'a Value);

impl Fields<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }
}

fn told(line: &Line, command: &str, fields: &Fields<'_>) -> Option<Value> {
    match command {
        "user" => {
            let id = fields.text("userId").filter(|id| crate::schema::is_user(id))?;
            line.add_user(id, fields.text("displayName")?, fields.text("language").unwrap_or("ko"));
        }
        "block" => line.block(fields.text("userId")?),
        "reply-token" => return Some(json!({"replyToken": line.reply_token(fields.text("userId")?)})),
        "expire-reply-tokens" => line.expire_reply_tokens(),
        "quota" => line.set_quota(fields.number("quota")),
        "usage" => line.set_usage(fields.number("usage")?),
        "advance" => line.advance(Duration::from_secs(fields.number("seconds")?)),
        "fault" => {
            let times = usize::try_from(fields.number("times").unwrap_or(1)).ok()?;
            line.fault(fault(fields)?, times, fields.text("path").unwrap_or(""));
        }
        "event" => return event(line, fields),
        "visit-account-link" => {
            let (token, nonce) = (fields.text("linkToken")?, fields.text("nonce")?);
            return line.visit_account_link(token, nonce, fields.text("userId")?);
        }
        "webhook" => return webhook(line, fields),
        _ => return None,
    }
    Some(json!({}))
}

fn fault(fields: &Fields<'_>) -> Option<Fault> {
    let status = || fields.number("status").and_then(|status| u16::try_from(status).ok());
    Some(match fields.text("kind")? {
        "status" => Fault::Status { status: status()?, message: fields.text("message").unwrap_or("").into() },
        "slow" => Fault::Slow(Duration::from_millis(fields.number("milliseconds")?)),
        "hangup" => Fault::Hangup,
        "lost-answer" => Fault::LostAnswer,
        "lost-answer-status" => Fault::LostAnswerStatus(status()?),
        _ => return None,
    })
}

fn event(line: &Line, fields: &Fields<'_>) -> Option<Value> {
    let user = fields.text("userId")?;
    let event = match fields.text("kind")? {
        "text" => line.text_message(user, fields.text("text")?),
        "image" => line.image_message(user, fields.text("messageId")?),
        "image-elsewhere" => line.image_elsewhere(user, fields.text("messageId")?, fields.text("url")?),
        "postback" => line.postback(user, fields.text("data")?),
        "follow" => line.follow(user),
        "unfollow" => line.unfollow(user),
        "unsend" => line.unsend(user, fields.text("messageId")?),
        "account-link" => line.account_link(user, fields.text("result")?, fields.text("nonce")?),
        _ => return None,
    };
    let again = fields.0.get("redelivered").and_then(Value::as_bool) == Some(true);
    Some(if again { redelivered(event) } else { event })
}

fn webhook(line: &Line, fields: &Fields<'_>) -> Option<Value> {
    let events = fields.0.get("events")?.as_array()?.clone();
    let escaped = fields.0.get("escaped").and_then(Value::as_bool) == Some(true);
    let Signed { body, signature } = if escaped { line.webhook_escaped(events) } else { line.webhook(events) };
    Some(json!({"body": String::from_utf8_lossy(&body), "signature": signature}))
}

fn channel(line: &Line) -> Answer {
    let channel = line.channel();
    let (secret, token, bot) = (channel.secret, channel.token, channel.bot_user_id);
    Answer::json(200, &json!({"secret": secret, "token": token, "botUserId": bot}))
}

fn list(values: impl Iterator<Item = Value>) -> Answer {
    Answer::json(200, &Value::Array(values.collect()))
}

fn accepted(accepted: &Accepted) -> Value {
    let how = match accepted.how {
        How::Reply => "reply",
        How::Push => "push",
        How::Multicast => "multicast",
    };
    json!({"how": how, "to": accepted.to, "retryKey": accepted.retry_key, "messages": accepted.messages})
}

fn seen(seen: &Seen) -> Value {
    json!({
        "method": seen.method,
        "path": seen.path,
        "status": seen.status,
        "body": String::from_utf8_lossy(&seen.body),
        "retryKey": seen.retry_key,
    })
}

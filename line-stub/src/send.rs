//! Replies, pushes and multicasts: what is refused, what is accepted once, and what is delivered.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{
    http::{Answer, Request},
    message, mint,
    schema::{Shape, is_uuid},
    state::{Accepted, How, Receipt, State},
};

pub(crate) fn send(state: &mut State, request: &Request, how: How) -> Answer {
    try_send(state, request, how).unwrap_or_else(|refusal| refusal)
}

fn try_send(state: &mut State, request: &Request, how: How) -> Result<Answer, Answer> {
    let key = retry_key(request)?;
    if let Some(receipt) = key.as_ref().and_then(|key| state.receipt(key)) {
        return Err(already_accepted(receipt));
    }
    let shape = match how {
        How::Reply => &message::REPLY,
        How::Push => &message::PUSH,
        How::Multicast => &message::MULTICAST,
    };
    let body = checked(request, shape)?;
    let recipients = recipients(state, how, &body)?;
    let count = recipients.len() as u64;
    if how != How::Reply {
        if state.quota.is_some_and(|quota| state.usage + count > quota) {
            return Err(Answer::error(429, "You have reached your monthly limit."));
        }
        state.usage += count;
    }
    Ok(accept(state, request, how, key, &body, recipients))
}

fn accept(
    state: &mut State,
    request: &Request,
    how: How,
    retry_key: Option<String>,
    body: &Value,
    recipients: Vec<String>,
) -> Answer {
    let messages = body.get("messages").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(token) = body.get("replyToken").and_then(Value::as_str) {
        state.spend_reply_token(token);
    }
    let sent: Vec<_> =
        messages.iter().map(|_| json!({"id": mint::message_id(), "quoteToken": mint::opaque("quote token")})).collect();
    // What a multicast sends is not told.
    let answer = if how == How::Multicast { json!({}) } else { json!({"sentMessages": sent}) };
    for to in recipients {
        state.accepted.push(Accepted { how, to, retry_key: retry_key.clone(), messages: messages.clone() });
    }
    if let Some(key) = retry_key {
        let receipt = Receipt { request_id: request.id.clone(), sent: answer.clone(), accepted_at: state.clock.now() };
        state.receipts.insert(key, receipt);
    }
    Answer::json(200, &answer)
}

/// The key under which a request is accepted once; the case of its letters tells no keys apart.
fn retry_key(request: &Request) -> Result<Option<String>, Answer> {
    match request.headers.get("x-line-retry-key").map(|key| key.to_str()) {
        None => Ok(None),
        Some(Ok(key)) if is_uuid(key) => Ok(Some(key.to_ascii_lowercase())),
        Some(_) => Err(Answer::error(400, "The retry key is invalid")),
    }
}

fn already_accepted(receipt: Receipt) -> Answer {
    let mut body = receipt.sent;
    body["message"] = "The retry key is already accepted".into();
    Answer::json(409, &body).header("x-line-accepted-request-id", receipt.request_id)
}

/// The body of a request if it is of this shape.
pub(crate) fn checked(request: &Request, shape: &Shape) -> Result<Value, Answer> {
    let body = request.json()?;
    if let Some(kind) = message::unsupported(&body) {
        return Err(Answer::error(501, format!("line-stub does not check messages of the type {kind}")));
    }
    let faults = message::faults(shape, &body);
    if faults.is_empty() { Ok(body) } else { Err(Answer::faults(&faults)) }
}

/// Who gets it: nobody who has blocked the bot, and of a multicast nobody who is not known.
fn recipients(state: &State, how: How, body: &Value) -> Result<Vec<String>, Answer> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let named: Vec<String> = match how {
        How::Reply => {
            let user = state.replied_to(text("replyToken"));
            vec![user.ok_or_else(|| Answer::error(400, "Invalid reply token"))?]
        }
        How::Push if !state.users.contains_key(text("to")) => {
            return Err(Answer::error(400, "Failed to send messages"));
        }
        How::Push => vec![text("to").into()],
        How::Multicast => {
            let to = body.get("to").and_then(Value::as_array).into_iter().flatten();
            let mut met = HashSet::new();
            to.filter_map(Value::as_str).filter(|id| met.insert(*id)).map(Into::into).collect()
        }
    };
    Ok(named.into_iter().filter(|id| state.friend(id).is_some()).collect())
}

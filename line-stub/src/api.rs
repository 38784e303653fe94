//! LINE's host for all but files: who asks, and what for.

use serde_json::{Value, json};

use crate::{
    http::{Answer, Request},
    message, mint, send,
    state::{ACCESS_TOKEN_MS, How, State},
};

/// Whether a request has a token of this channel.
pub(crate) fn authenticate(state: &State, request: &Request) -> Result<(), Answer> {
    let header = request.header("authorization").unwrap_or_default();
    let Some(token) = header.strip_prefix("Bearer ") else {
        let reason = "Authorization header required. Must follow the scheme, 'Authorization: Bearer <ACCESS TOKEN>'";
        return Err(unauthorized(reason));
    };
    let is_stateless = || state.access_tokens.get(token).is_some_and(|expires| state.clock.now() < *expires);
    if token == state.channel.token || is_stateless() {
        return Ok(());
    }
    Err(unauthorized("Confirm that the access token in the authorization header is valid."))
}

fn unauthorized(reason: &str) -> Answer {
    Answer::error(401, format!("Authentication failed due to the following reason: {reason}"))
        .header("www-authenticate", r#"Bearer error="invalid_token""#)
}

/// What the port for all but data answers to who has a token.
pub(crate) fn answer(state: &mut State, request: &Request) -> Answer {
    let parts: Vec<_> = request.path.trim_start_matches('/').split('/').collect();
    let ["v2", "bot", parts @ ..] = parts.as_slice() else { return Answer::not_found() };
    // LINE refuses a retry key wherever it would have no effect.
    let takes_key = matches!(parts, ["message", "push" | "multicast"]);
    if !takes_key && request.header("x-line-retry-key").is_some() {
        return Answer::error(400, "The X-Line-Retry-Key header is not supported by this API");
    }
    match (request.method.as_str(), parts) {
        ("POST", ["message", "reply"]) => send::send(state, request, How::Reply),
        ("POST", ["message", "push"]) => send::send(state, request, How::Push),
        ("POST", ["message", "multicast"]) => send::send(state, request, How::Multicast),
        ("POST", ["message", "validate", "reply" | "push" | "multicast"]) => validate(request),
        ("GET", ["message", "quota"]) => quota(state),
        ("GET", ["message", "quota", "consumption"]) => Answer::json(200, &json!({"totalUsage": state.usage})),
        ("GET", ["profile", id]) => profile(state, id),
        ("GET", ["info"]) => info(state),
        ("POST", ["user", id, "linkToken"]) => link_token(state, id),
        ("GET", ["channel", "webhook", "endpoint"]) => webhook_endpoint(state),
        ("PUT", ["channel", "webhook", "endpoint"]) => set_webhook_endpoint(state, request),
        _ if is_known(parts) => Answer::error(501, "line-stub does not play this endpoint"),
        _ => Answer::not_found(),
    }
}

/// Endpoints that LINE has and this stub has not: a test that needs one must not take 404 for LINE's word.
fn is_known(parts: &[&str]) -> bool {
    const ROOMS: [&str; 12] = [
        "audienceGroup",
        "bot",
        "channel",
        "chat",
        "coupon",
        "followers",
        "group",
        "insight",
        "message",
        "richmenu",
        "room",
        "user",
    ];
    parts.first().is_some_and(|room| ROOMS.contains(room))
}

fn validate(request: &Request) -> Answer {
    match send::checked(request, &message::VALIDATE) {
        Ok(_) => Answer::json(200, &json!({})),
        Err(refusal) => refusal,
    }
}

fn quota(state: &State) -> Answer {
    let body = match state.quota {
        Some(value) => json!({"type": "limited", "value": value}),
        None => json!({"type": "none"}),
    };
    Answer::json(200, &body)
}

fn profile(state: &State, id: &str) -> Answer {
    match state.friend(id) {
        None => Answer::not_found(),
        Some(user) => {
            let (name, language) = (&user.display_name, &user.language);
            Answer::json(200, &json!({"userId": id, "displayName": name, "language": language}))
        }
    }
}

fn info(state: &State) -> Answer {
    let info = json!({
        "userId": state.channel.bot_user_id,
        "basicId": "@000line",
        "displayName": "Madang",
        "chatMode": "bot",
        "markAsReadMode": "auto",
    });
    Answer::json(200, &info)
}

fn link_token(state: &mut State, id: &str) -> Answer {
    if state.friend(id).is_none() {
        return Answer::not_found();
    }
    Answer::json(200, &json!({"linkToken": state.mint_link_token(id)}))
}

fn webhook_endpoint(state: &State) -> Answer {
    match &state.webhook_endpoint {
        None => Answer::not_found(),
        Some(endpoint) => Answer::json(200, &json!({"endpoint": endpoint, "active": true})),
    }
}

fn set_webhook_endpoint(state: &mut State, request: &Request) -> Answer {
    let body = match request.json() {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    match body.get("endpoint").and_then(Value::as_str) {
        Some(url) if url.starts_with("https://") && url.len() <= 500 => {
            state.webhook_endpoint = Some(url.into());
            Answer::json(200, &json!({}))
        }
        _ => Answer::error(400, "Invalid webhook endpoint URL"),
    }
}

/// A stateless channel access token, for whoever knows the channel's secret; the form of a signed assertion is not played.
pub(crate) fn issue_token(state: &mut State, request: &Request) -> Answer {
    let body = String::from_utf8_lossy(&request.body);
    let fields: Vec<_> = body.split('&').filter_map(|field| field.split_once('=')).collect();
    let field = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
    if request.method != "POST" || field("grant_type") != Some("client_credentials") {
        return Answer::json(400, &json!({"error": "unsupported_grant_type"}));
    }
    if field("client_assertion").is_some() {
        return Answer::error(501, "line-stub does not check assertions");
    }
    if field("client_id").is_none() || field("client_secret") != Some(&state.channel.secret) {
        return Answer::json(400, &json!({"error": "invalid_client", "error_description": "invalid client_secret"}));
    }
    let token = mint::opaque("access token");
    state.access_tokens.insert(token.clone(), state.clock.now() + ACCESS_TOKEN_MS);
    Answer::json(200, &json!({"token_type": "Bearer", "access_token": token, "expires_in": ACCESS_TOKEN_MS / 1000}))
}

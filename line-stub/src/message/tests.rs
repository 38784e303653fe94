use serde_json::{Value, json};

use super::*;

/// What is wrong with one message.
fn judged(message: Value) -> Vec<(String, String)> {
    faults(&VALIDATE, &json!({"messages": [message]}))
}

#[track_caller]
fn good(message: Value) {
    assert_eq!(judged(message), []);
}

/// The message has one fault, at this property.
#[track_caller]
fn bad(message: Value, property: &str) {
    let found = judged(message);
    let places: Vec<_> = found.iter().map(|(_, place)| place.strip_prefix("messages[0].").unwrap_or(place)).collect();
    assert_eq!(places, [property], "{found:?}");
}

fn bubble(body: Value) -> Value {
    let body = json!({"type": "box", "layout": "vertical", "contents": body});
    json!({"type": "flex", "altText": "a", "contents": {"type": "bubble", "body": body}})
}

fn with_action(action: Value) -> Value {
    bubble(json!([{"type": "button", "action": action}]))
}

#[test]
fn texts_have_a_length_in_utf_16() {
    good(json!({"type": "text", "text": "가".repeat(5000)}));
    good(json!({"type": "text", "text": "😀".repeat(2500)}));
    bad(json!({"type": "text", "text": "😀".repeat(2501)}), "text");
    bad(json!({"type": "text", "text": ""}), "text");
    bad(json!({"type": "text", "text": null}), "text");
    bad(json!({"type": "text"}), "text");
}

#[test]
fn a_message_is_judged_by_its_type() {
    bad(json!({"type": "text", "text": "a", "altText": "b"}), "altText");
    bad(json!({"type": "flex", "altText": "a"}), "contents");
    bad(json!({"type": "song"}), "type");
    bad(json!({"text": "a"}), "type");
    bad(json!(["text"]), "messages[0]");
    assert_eq!(faults(&VALIDATE, &json!({"messages": []})).len(), 1);
    let text = json!({"type": "text", "text": "a"});
    assert_eq!(faults(&VALIDATE, &json!({"messages": vec![text.clone(); 5]})), []);
    assert_eq!(faults(&VALIDATE, &json!({"messages": vec![text; 6]})).len(), 1);
    assert_eq!(unsupported(&json!({"messages": [{"type": "imagemap"}]})), Some("imagemap"));
}

#[test]
fn other_messages_are_complete() {
    let url = "https://example.com/a.png";
    good(json!({"type": "image", "originalContentUrl": url, "previewImageUrl": url}));
    bad(
        json!({"type": "image", "originalContentUrl": "http://example.com/a", "previewImageUrl": url}),
        "originalContentUrl",
    );
    bad(
        json!({"type": "image", "originalContentUrl": url, "previewImageUrl": "https://example.com/사진"}),
        "previewImageUrl",
    );
    good(json!({"type": "video", "originalContentUrl": url, "previewImageUrl": url, "trackingId": "a"}));
    good(json!({"type": "audio", "originalContentUrl": url, "duration": 1000}));
    bad(json!({"type": "audio", "originalContentUrl": url, "duration": 1.5}), "duration");
    good(json!({"type": "location", "title": "마당", "address": "a", "latitude": 37.5, "longitude": 127}));
    bad(json!({"type": "location", "title": "마당", "address": "a", "latitude": 97.5, "longitude": 127}), "latitude");
    good(json!({"type": "sticker", "packageId": "446", "stickerId": "1988"}));
    let emoji = json!({"e": {"type": "emoji", "productId": "5ac1", "emojiId": "001"}});
    good(json!({"type": "textV2", "text": "{e}", "substitution": emoji}));
    let sender = json!({"name": "n".repeat(21)});
    bad(json!({"type": "text", "text": "a", "sender": sender}), "sender.name");
}

#[test]
fn quick_replies_are_thirteen_at_most() {
    let item = json!({"type": "action", "action": {"type": "postback", "label": "a", "data": "b"}});
    let text = |items: Vec<Value>| json!({"type": "text", "text": "a", "quickReply": {"items": items}});
    good(text(vec![item.clone(); 13]));
    bad(text(vec![item; 14]), "quickReply.items");
    good(text(vec![json!({"type": "action", "action": {"type": "camera", "label": "a"}})]));
    bad(text(vec![json!({"type": "action", "action": {"type": "camera"}})]), "quickReply.items[0].action.label");
}

#[test]
fn actions_have_limits() {
    let at = |name: &str| format!("contents.body.contents[0].action.{name}");
    let long = |length| "가".repeat(length);
    good(with_action(json!({"type": "postback", "label": long(20), "data": long(300)})));
    bad(with_action(json!({"type": "postback", "label": long(21), "data": "a"})), &at("label"));
    bad(with_action(json!({"type": "postback", "label": "a", "data": long(301)})), &at("data"));
    bad(with_action(json!({"type": "postback", "label": "a", "data": "a", "uri": "b"})), &at("uri"));
    bad(with_action(json!({"type": "postback", "data": "a"})), &at("label"));
    bad(with_action(json!({"type": "camera", "label": "a"})), &at("type"));
    for uri in ["https://example.com/?q=%EC%95%88", "http://a", "line://nv/chat", "tel:+8210"] {
        good(with_action(json!({"type": "uri", "label": "a", "uri": uri})));
    }
    for uri in ["javascript:alert(1)", "ftp://a", "/feed/1", "https://a/안", &format!("https://a/{}", "b".repeat(991))]
    {
        bad(with_action(json!({"type": "uri", "label": "a", "uri": uri})), &at("uri"));
    }
}

#[test]
fn flex_components_are_judged_by_their_type() {
    let at = |name: &str| format!("contents.body.contents[0].{name}");
    good(bubble(json!([
        {"type": "text", "text": "a", "size": "lg", "color": "#112233", "wrap": true, "flex": 0, "offsetTop": "4px"},
        {"type": "text", "contents": [{"type": "span", "text": "a", "weight": "bold"}]},
        {"type": "image", "url": "https://example.com/a.png", "size": "full", "aspectRatio": "20:13", "aspectMode": "cover"},
        {"type": "separator", "margin": "md"},
        {"type": "box", "layout": "baseline", "contents": [{"type": "icon", "url": "https://example.com/a.png"}]},
        {"type": "button", "style": "primary", "action": {"type": "uri", "label": "a", "uri": "https://a"}},
    ])));
    bad(bubble(json!([{"type": "text"}])), &at("text"));
    bad(bubble(json!([{"type": "text", "text": ""}])), &at("text"));
    bad(bubble(json!([{"type": "text", "text": "a", "colour": "#112233"}])), &at("colour"));
    bad(bubble(json!([{"type": "text", "text": "a", "color": "red"}])), &at("color"));
    bad(bubble(json!([{"type": "text", "text": "a", "size": "huge"}])), &at("size"));
    bad(bubble(json!([{"type": "image", "url": "http://example.com/a.png"}])), &at("url"));
    bad(bubble(json!([{"type": "button"}])), &at("action"));
    bad(bubble(json!([{"type": "video"}])), &at("type"));
    let icon = json!({"type": "icon", "url": "https://example.com/a.png"});
    bad(bubble(json!([icon])), "contents.body.contents[0]");
    let nested = json!({"type": "box", "layout": "baseline", "contents": [{"type": "separator"}]});
    bad(bubble(json!([nested])), &at("contents[0]"));
}

#[test]
fn flex_has_limits_of_size() {
    let flex = |contents: Value| json!({"type": "flex", "altText": "a", "contents": contents});
    bad(flex(json!({"type": "bubble"})), "contents");
    let one = bubble(json!([{"type": "text", "text": "a"}]))["contents"].clone();
    let carousel = |bubbles: Vec<Value>| flex(json!({"type": "carousel", "contents": bubbles}));
    good(carousel(vec![one.clone(); 12]));
    bad(carousel(vec![one.clone(); 13]), "contents.contents");
    bad(carousel(vec![]), "contents.contents");
    let mut small = one.clone();
    small["size"] = "kilo".into();
    bad(carousel(vec![one, small]), "contents");
    let text = |count: usize| bubble(vec![json!({"type": "text", "text": "가".repeat(600)}); count].into());
    good(text(16));
    bad(text(17), "contents");
    let large = text(10)["contents"].clone();
    good(carousel(vec![large.clone(); 2]));
    bad(carousel(vec![large; 3]), "contents");
    let mut long = text(1);
    long["altText"] = "가".repeat(401).into();
    bad(long, "altText");
}

#[test]
fn templates_have_limits() {
    let template = |template: Value| json!({"type": "template", "altText": "a", "template": template});
    let action = json!({"type": "message", "label": "a", "text": "b"});
    let buttons = |text: usize, actions: usize| json!({"type": "buttons", "text": "a".repeat(text), "actions": vec![action.clone(); actions]});
    good(template(buttons(160, 4)));
    bad(template(buttons(161, 4)), "template.text");
    bad(template(buttons(160, 5)), "template.actions");
    let mut titled = buttons(61, 1);
    titled["title"] = "a".into();
    bad(template(titled), "template.text");
    good(template(json!({"type": "confirm", "text": "a", "actions": [action, action]})));
    bad(template(json!({"type": "confirm", "text": "a", "actions": [action]})), "template.actions");
    let column = |actions: usize| json!({"text": "a", "actions": vec![action.clone(); actions]});
    let carousel = |columns: Vec<Value>| template(json!({"type": "carousel", "columns": columns}));
    good(carousel(vec![column(3); 10]));
    bad(carousel(vec![column(3); 11]), "template.columns");
    bad(carousel(vec![column(1), column(2)]), "template.columns");
    let image = json!({"imageUrl": "https://example.com/a.png", "action": {"type": "message", "label": "a".repeat(13), "text": "b"}});
    bad(template(json!({"type": "image_carousel", "columns": [image]})), "template.columns[0].action.label");
}

//! Holds answers against the OpenAPI document.

use serde_json::Value;

use crate::support::Answer;

/// The answer's body is what the document says of this operation and status: of the right types, with every member that is
/// documented and no other.
#[track_caller]
pub(super) fn assert_documented(document: &Value, operation: &str, answer: &Answer) {
    let (method, route) = operation.split_once(' ').unwrap();
    let responses = &document["paths"][route][method.to_lowercase()]["responses"];
    let schema = &responses[answer.status.as_str()]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{operation} does not document {}: {}", answer.status, answer.text());
    if let Err(wrong) = conforms(document, schema, &answer.json()) {
        panic!("{operation} {}: {wrong}\n{}", answer.status, answer.text());
    }
}

/// The few words of JSON Schema that the document uses. Members are taken more strictly: all there, and no others.
fn conforms(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(target) = schema["$ref"].as_str() {
        let named = document.pointer(target.trim_start_matches('#')).ok_or(format!("{target} is not there"))?;
        return conforms(document, named, value);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fitting = choices.iter().filter(|choice| conforms(document, choice, value).is_ok()).count();
        return if fitting == 1 { Ok(()) } else { Err(format!("{fitting} of {choices:?} fit {value}")) };
    }
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    };
    let typed = match &schema["type"] {
        Value::Null => true, // anything
        Value::Array(kinds) => kinds.iter().any(is),
        kind => is(kind),
    };
    if !typed {
        return Err(format!("{value} is no {}", schema["type"]));
    }
    if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
        return Err(format!("{value} is none of {}", schema["enum"]));
    }
    match value {
        Value::String(text) if schema["format"] == "date-time" => conforms_as_time(text),
        Value::Array(items) => items.iter().try_for_each(|item| conforms(document, &schema["items"], item)),
        Value::Object(fields) => {
            let none = serde_json::Map::new();
            let documented = schema["properties"].as_object().unwrap_or(&none);
            if !fields.keys().eq(documented.keys()) {
                let names = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>().join(" ");
                return Err(format!("members are {}, documented {}", names(fields), names(documented)));
            }
            fields.iter().try_for_each(|(name, field)| conforms(document, &documented[name], field))
        }
        _ => Ok(()),
    }
}

/// RFC 3339 in UTC with six digits: `2026-11-22T01:29:30.000000Z`.
fn conforms_as_time(text: &str) -> Result<(), String> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let time = text.parse::<jiff::Timestamp>().is_ok() && shape == "0000-00-00T00:00:00.000000Z";
    if time { Ok(()) } else { Err(format!("{text} is no time")) }
}

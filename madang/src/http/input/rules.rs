//! What counts as an integer, and what an answer may repeat of a wrong value.

use serde_json::{Map, Value, json};

/// What the names of fields contain whose value no answer repeats, in any case: also those of unknown fields, such as a
/// `Passwd` that was meant for `password`.
const SECRET_NAMES: [&str; 3] = ["pass", "token", "secret"];

/// A problem repeats at most this many characters of a wrong text, and of a wrong list or object none beyond as many
/// bytes of JSON.
const ECHO_LIMIT: usize = 200;

/// True for a field whose value no answer repeats.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

type Words = (&'static str, &'static str);

/// An integer, or a string of an optional minus sign and ASCII digits. A float counts if it has no fraction.
pub(super) fn parse_int(value: &Value) -> std::result::Result<i64, Words> {
    const TYPE: Words = ("int_type", "Input should be a valid integer");
    const PARSING: Words = ("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
    const SIZE: Words = ("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size");
    const FRACTION: Words = ("int_from_float", "Input should be a valid integer, got a number with a fractional part");
    /// Floats beyond this no longer tell neighbouring integers apart.
    const EXACT: f64 = (1_u64 << 53) as f64;

    match value {
        Value::String(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(PARSING);
            }
            text.parse().map_err(|_| SIZE)
        }
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Ok(integer),
            (None, Some(float)) if float.fract() != 0.0 => Err(FRACTION),
            (None, Some(float)) if float.abs() <= EXACT => Ok(float as i64),
            _ => Err(SIZE),
        },
        _ => Err(TYPE),
    }
}

/// What an answer repeats of a wrong value: see [`ECHO_LIMIT`] and [`SECRET_NAMES`].
pub(super) fn echo(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.char_indices().nth(ECHO_LIMIT) {
            Some((cut, _)) => Value::from(format!("{}…", &text[..cut])),
            None => value.clone(),
        },
        Value::Array(_) | Value::Object(_) => {
            let mut budget = ECHO_LIMIT;
            echo_within(value, &mut budget)
        }
        scalar => scalar.clone(),
    }
}

/// Copies a list or object until the budget of JSON bytes is spent; what is left out is simply not there.
fn echo_within(value: &Value, budget: &mut usize) -> Value {
    match value {
        Value::Array(items) => {
            *budget = budget.saturating_sub(2);
            let items = items.iter().map_while(|item| (*budget > 0).then(|| echo_within(item, budget)));
            Value::Array(items.collect())
        }
        Value::Object(fields) => {
            *budget = budget.saturating_sub(2);
            let mut copy = Map::new();
            for (key, value) in fields.iter().filter(|(key, _)| !is_secret(key)) {
                if key.len() + 3 > *budget {
                    break;
                }
                *budget -= key.len() + 3;
                copy.insert(key.clone(), echo_within(value, budget));
            }
            Value::Object(copy)
        }
        scalar => {
            let size = scalar.to_string().len();
            let fits = size <= *budget;
            *budget = budget.saturating_sub(if fits { size } else { 3 });
            if fits { scalar.clone() } else { json!("…") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i01_ids() {
        let kind = |value: Value| parse_int(&value).err().map(|(kind, _)| kind);
        for good in [json!(1), json!("1"), json!("007"), json!(5.0), json!(i64::MAX), json!("9223372036854775807")] {
            assert_eq!(kind(good), None);
        }
        for text in ["1.0", " 1", "1 ", "0x1", "١", "1'", "+1", "", "-", "--1", "1_000", "1e3"] {
            assert_eq!(kind(json!(text)), Some("int_parsing"), "{text:?}");
        }
        for size in [json!("9223372036854775808"), json!("-9223372036854775809"), json!(u64::MAX), json!(1e19)] {
            assert_eq!(kind(size), Some("int_parsing_size"));
        }
        assert_eq!(kind(json!(1.5)), Some("int_from_float"));
        assert_eq!(kind(json!(true)), Some("int_type"));
        assert_eq!(kind(json!(null)), Some("int_type"));
    }

    #[test]
    fn s01_answers_repeat_no_secret_and_stay_short() {
        let long = "가".repeat(100_000);
        let document = json!({
            "password": "canary", "token": ["canary"], "nested": {"refresh_token": "canary", "list": [{"Passwd": "canary"}]},
            "long": &long, "many": vec![0; 100_000],
        });
        let hollow = Value::Array(vec![json!([]); 100_000]);
        let texts = Value::Array(vec![Value::from(long.as_str()); 100]);
        for value in [&document, &document["nested"], &document["long"], &document["many"], &hollow, &texts] {
            let text = echo(value).to_string();
            assert!(!text.contains("canary"), "{text}");
            assert!(text.chars().count() < 2 * ECHO_LIMIT, "{}", text.len());
        }
        assert_eq!(echo(&json!({"a": [1, {"b": null}]})), json!({"a": [1, {"b": null}]}));
    }
}

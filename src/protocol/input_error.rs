//! Errors of a client's input in plain words: which field, and what it must be. The library's own messages name types of Rust and
//! places in the text, which say nothing to a client.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Error as FieldError;

use crate::domain::Refusal;

/// The fields of a verb, or the refusal that names the first bad one.
pub fn parse<T: DeserializeOwned>(mut fields: Value) -> Result<T, Refusal> {
    write_whole_numbers_as_integers(&mut fields);
    serde_path_to_error::deserialize(fields).map_err(|error| refuse_body(&error))
}

/// A JSON body, or the refusal that names the first bad field.
pub fn parse_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut input = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut input);
    match parsed {
        Ok(value) => input.end().map(|()| value).map_err(|error| broken_json(&error)),
        Err(error) if error.inner().to_string().contains("floating point") => {
            parse(serde_json::from_slice(body).map_err(|error| broken_json(&error))?)
        }
        Err(error) => Err(refuse_body(&error)),
    }
}

/// `5.0` is a whole number in JSON, also for a type that cannot read it.
fn write_whole_numbers_as_integers(value: &mut Value) {
    const EXACT_MAX: f64 = (1_i64 << 53) as f64;
    match value {
        Value::Number(number) => {
            let exact =
                number.as_f64().filter(|given| number.is_f64() && given.fract() == 0.0 && given.abs() <= EXACT_MAX);
            if let Some(whole) = exact {
                *value = Value::from(whole as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers_as_integers),
        Value::Object(fields) => fields.values_mut().for_each(write_whole_numbers_as_integers),
        _ => {}
    }
}

fn broken_json(error: &serde_json::Error) -> Refusal {
    if error.is_eof() && error.column() == 0 {
        return Refusal::bad_request("The body is empty. It must be JSON.");
    }
    Refusal::bad_request(format!("The body is not valid JSON (line {}, column {}).", error.line(), error.column()))
}

/// The refusal of a JSON body.
pub fn refuse_body(error: &FieldError<serde_json::Error>) -> Refusal {
    let cause = error.inner();
    if cause.is_data() {
        let text = cause.to_string();
        let why = text.rsplit_once(" at line ").map_or(text.as_str(), |(why, _)| why);
        return refuse_field(&error.path().to_string(), why);
    }
    broken_json(cause)
}

/// The refusal of a query; `text` is the message of the rejection: `…: limit: invalid digit found in string`.
pub fn refuse_query(text: &str) -> Refusal {
    let (_, text) = text.split_once(": ").unwrap_or(("", text));
    match text.split_once(": ") {
        Some((field, why)) => refuse_field(field, why),
        None => refuse_field(".", text),
    }
}

/// The refusal of an id that cannot exist.
pub fn not_an_id(field: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::bad_field(field, "must be an id (UUID).")
}

/// `path` leads to the field (`variants[0].price`; `.` is the whole input), `why` is the library's message.
fn refuse_field(path: &str, why: &str) -> Refusal {
    let inner = |name: &str| if path == "." { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(name) = quoted_after(why, "missing field ") {
        return Refusal::bad_field(last_only(path, name, inner), "is required.");
    }
    if let Some(name) = quoted_after(why, "duplicate field ") {
        return Refusal::bad_field(last_only(path, name, inner), "is given more than once.");
    }
    let must = plain_words(why);
    if path == "." {
        let must = must.strip_prefix("must be ").map_or("is not valid.".to_owned(), |kind| format!("must be {kind}"));
        return Refusal::bad_request(format!("The input {must}"));
    }
    Refusal::bad_field(path.to_owned(), must)
}

/// The path to a field that is missing or repeated. The library reports it at the object, or at the field itself.
fn last_only(path: &str, name: &str, inner: impl Fn(&str) -> String) -> String {
    if path == name || path.ends_with(&format!(".{name}")) { path.to_owned() } else { inner(name) }
}

/// The text between backticks behind `start`.
fn quoted_after<'a>(why: &'a str, start: &str) -> Option<&'a str> {
    why.strip_prefix(start)?.strip_prefix('`')?.split_once('`').map(|(name, _)| name)
}

/// What the value must be, as the end of a sentence that begins with the field.
fn plain_words(why: &str) -> String {
    if let Some((_, choices)) = why.strip_prefix("unknown variant ").and_then(|rest| rest.split_once(", expected ")) {
        return format!("must be {choices}.");
    }
    if let Some((_, expected)) = why.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")) {
        return format!("must be {}.", plain_type(expected));
    }
    let is_number_too_large = why.starts_with("number too ") || why.contains("out of range");
    if is_number_too_large || why.starts_with("invalid value: integer") || why.starts_with("invalid value: floating") {
        return "must be a smaller or larger number: it is out of range.".to_owned();
    }
    if why.contains("UUID") || why.contains("invalid character") {
        return "must be an id (UUID).".to_owned();
    }
    if why.contains("invalid digit") || why.contains("parse integer") {
        return "must be a whole number.".to_owned();
    }
    if why.contains("not `true` or `false`") {
        return "must be true or false.".to_owned();
    }
    "is not valid.".to_owned()
}

/// The name of a type of Rust in plain words.
fn plain_type(expected: &str) -> &'static str {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "string" | "a borrowed string" | "a character" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "null" | "unit" => "null",
        expected if expected.contains("UUID") => "an id (UUID)",
        expected if expected.starts_with("a tuple") || expected.starts_with("an array") => "a list",
        expected if expected == "a map" || expected == "an object" || expected.starts_with("struct ") => "an object",
        expected if expected.contains("enum") || expected.contains("variant") => "one of the known words",
        _ => "a value of another kind",
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::domain::{OfferId, OfferKind};

    #[derive(Deserialize, Debug)]
    #[allow(dead_code, reason = "only the errors are compared")]
    struct Form {
        offer: OfferId,
        qty: i64,
        kind: Option<OfferKind>,
        lines: Option<Vec<Line>>,
        restock: Option<bool>,
    }

    #[derive(Deserialize, Debug)]
    #[allow(dead_code, reason = "only the errors are compared")]
    struct Line {
        name: String,
    }

    fn refused(fields: Value) -> String {
        parse::<Form>(fields).unwrap_err().to_string()
    }

    #[test]
    fn field_is_named_and_the_words_are_plain() {
        let offer = OfferId::new();
        for (fields, expected) in [
            (json!({"offer": offer}), "qty is required."),
            (json!({"offer": offer, "qty": "1"}), "qty must be a whole number."),
            (json!({"offer": offer, "qty": 1.5}), "qty must be a whole number."),
            (json!({"offer": offer, "qty": null}), "qty must be a whole number."),
            (json!({"offer": offer, "qty": u64::MAX}), "qty must be a smaller or larger number: it is out of range."),
            (json!({"offer": "x", "qty": 1}), "offer must be an id (UUID)."),
            (json!({"offer": 7, "qty": 1}), "offer must be an id (UUID)."),
            (json!({"offer": offer, "qty": 1, "kind": "rare"}), "kind must be `regular` or `flash`."),
            (json!({"offer": offer, "qty": 1, "lines": {}}), "lines must be a list."),
            (json!({"offer": offer, "qty": 1, "lines": [{"name": 5}]}), "lines[0].name must be a text."),
            (json!({"offer": offer, "qty": 1, "lines": [{}]}), "lines[0].name is required."),
            (json!({"offer": offer, "qty": 1, "restock": 1}), "restock must be true or false."),
            (json!(7), "The input must be an object."),
        ] {
            assert_eq!(refused(fields.clone()), expected, "{fields}");
        }
    }

    #[test]
    fn broken_json_is_refused_with_its_place() {
        let error = parse_body::<Form>(b"{\"qty\":1,\n  oops").unwrap_err();
        assert_eq!(error.to_string(), "The body is not valid JSON (line 2, column 3).");
        let offer = OfferId::new();
        let twice = format!("{{\"offer\":\"{offer}\",\"qty\":1}} {{}}");
        assert!(parse_body::<Form>(twice.as_bytes()).is_err(), "bytes behind the body");
    }

    #[test]
    fn whole_number_may_be_written_with_a_point() {
        let offer = OfferId::new();
        let body = format!("{{\"offer\":\"{offer}\",\"qty\":5.0,\"lines\":[]}}");
        assert_eq!(parse_body::<Form>(body.as_bytes()).unwrap().qty, 5);
        assert_eq!(parse::<Form>(json!({"offer": offer, "qty": 5e2})).unwrap().qty, 500);
        assert!(parse_body::<Form>(body.replace("5.0", "5.5").as_bytes()).is_err());
        assert!(parse_body::<Form>(body.replace("5.0", "1e300").as_bytes()).is_err());
    }

    #[test]
    fn query_names_its_parameter() {
        let start = "Failed to deserialize query string: ";
        for (text, expected) in [
            ("limit: invalid digit found in string", "limit must be a whole number."),
            (
                "limit: number too large to fit in target type",
                "limit must be a smaller or larger number: it is out of range.",
            ),
            ("seq: cannot parse integer from empty string", "seq must be a whole number."),
            ("missing field `lang`", "lang is required."),
        ] {
            assert_eq!(refuse_query(&format!("{start}{text}")).to_string(), expected);
        }
    }
}

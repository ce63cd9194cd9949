//! Frames of the client: one JSON object with the name of a verb in `do`, the client's own `ref`, and the input of the verb.

use serde_json::{Map, Value};

use crate::domain::Refusal;

/// A parsed frame: its `ref`, and its verb or why it has none.
#[derive(Debug)]
pub struct ClientFrame {
    /// Echoed in the reply; may be missing.
    pub reference: Option<String>,
    pub verb: Result<VerbCall, Refusal>,
}

/// The name of a verb and its input. `verbs::VERBS` knows which verbs exist, and parses the input.
#[derive(Clone, PartialEq, Debug)]
pub struct VerbCall {
    pub name: String,
    pub input: Map<String, Value>,
}

/// Longer references are refused, because a reply echoes them.
const REFERENCE_BYTES_MAX: usize = 64;

impl ClientFrame {
    pub fn parse(text: &str) -> Self {
        let refused = |why: &str| Self { reference: None, verb: Err(Refusal::bad_request(why)) };
        let Ok(Value::Object(mut frame)) = serde_json::from_str::<Value>(text) else {
            return refused("A frame must be one JSON object.");
        };
        let reference = match frame.remove("ref") {
            None | Some(Value::Null) => None,
            Some(Value::String(reference)) if reference.len() <= REFERENCE_BYTES_MAX => Some(reference),
            Some(_) => return refused("`ref` must be a text of at most 64 bytes."),
        };
        let verb = match frame.remove("do") {
            Some(Value::String(name)) => Ok(VerbCall { name, input: frame }),
            _ => Err(Refusal::bad_request("`do` must be the name of a verb.")),
        };
        Self { reference, verb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(text: &str) -> Result<String, &'static str> {
        ClientFrame::parse(text).verb.map(|verb| verb.name).map_err(|refusal| refusal.code())
    }

    #[test]
    fn frame_needs_an_object_and_a_verb() {
        assert_eq!(verb(r#"{"do":"say","text":"hi","more":1}"#), Ok("say".to_owned()));
        for text in ["", "{", "[]", "hi", "{}", r#"{"do":7}"#, r#"{"ref":{},"do":"say"}"#] {
            assert_eq!(verb(text), Err("bad_request"), "{text}");
        }
        assert_eq!(verb(&"[".repeat(10_000)), Err("bad_request"));
        assert_eq!(verb(&format!("{}1{}", r#"{"a":"#.repeat(3_000), "}".repeat(3_000))), Err("bad_request"));
        let long = format!(r#"{{"ref":"{}","do":"say"}}"#, "r".repeat(REFERENCE_BYTES_MAX + 1));
        assert_eq!(verb(&long), Err("bad_request"));
    }

    #[test]
    fn input_is_the_frame_without_its_ref_and_verb() {
        let frame = ClientFrame::parse(r#"{"ref":"9","do":"pin","offer":"x"}"#);
        assert_eq!(frame.reference.as_deref(), Some("9"));
        let input = frame.verb.unwrap().input;
        assert_eq!(input.into_iter().collect::<Vec<_>>(), [("offer".to_owned(), Value::from("x"))]);
    }

    #[test]
    fn reference_comes_back_even_without_a_verb() {
        let frame = ClientFrame::parse(r#"{"ref":"9","do":7}"#);
        assert_eq!(frame.reference.as_deref(), Some("9"));
    }
}

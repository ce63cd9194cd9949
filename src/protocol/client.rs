//! What a client says on the socket: one JSON object, one verb, under the client's own `ref`.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::reaction::ReactionKind;
use crate::domain::{ChatRulesForm, MessageId, OfferId, OrderId, Refusal};

/// A frame as it was understood: its `ref`, and the verb or why there is none.
#[derive(Debug)]
pub struct ClientFrame {
    /// Echoed in the reply; absent where no answer is wanted.
    pub reference: Option<String>,
    pub verb: Result<Verb, Refusal>,
}

/// Everything one can do over the socket. Unknown fields are ignored, an unknown `do` is refused by name.
#[derive(Clone, PartialEq, Debug, Deserialize, ToSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
#[schema(as = ClientFrame)]
pub enum Verb {
    /// Chat: 1–200 characters.
    Say {
        text: String,
        /// The message it answers.
        reply_to: Option<MessageId>,
    },
    /// Hearts, gathered: `count` 1–50.
    React {
        kind: ReactionKind,
        count: i64,
    },
    /// Holds `qty` units; answered with the order. `key` 8–255 visible ASCII characters.
    Buy {
        offer: OfferId,
        qty: i64,
        key: Option<String>,
    },
    /// Pays a held order with a token of the payment provider.
    Pay {
        order: OrderId,
        token: String,
        key: Option<String>,
    },
    /// Gives a held order up.
    Cancel {
        order: OrderId,
        key: Option<String>,
    },
    /// Gives a paid order's money back: for those who run the show.
    Refund {
        order: OrderId,
        restock: bool,
        reason: Option<String>,
        key: Option<String>,
    },
    /// A sample of viewers confirms that the card is on the screen; answered by nobody.
    Seen {
        offer: OfferId,
    },
    /// Wants to hear of units that come back. Reserves nothing.
    AddStockAlert {
        offer: OfferId,
    },
    RemoveStockAlert {
        offer: OfferId,
    },
    Pin {
        offer: OfferId,
    },
    Unpin {},
    Open {
        offer: OfferId,
    },
    Pause {
        offer: OfferId,
    },
    Close {
        offer: OfferId,
    },
    Restock {
        offer: OfferId,
        add: i64,
    },
    Extend {
        offer: OfferId,
        seconds: i64,
    },
    /// Every verb that keeps order takes a reason, at most 200 characters, for the log and for the one concerned.
    DeleteMessage {
        id: MessageId,
        reason: Option<String>,
    },
    /// Keeps somebody quiet, 10 seconds to 7 days, and takes away what they said.
    Mute {
        user: String,
        seconds: i64,
        reason: Option<String>,
    },
    Unmute {
        user: String,
        reason: Option<String>,
    },
    /// Sends somebody out, and takes away what they said.
    Ban {
        user: String,
        reason: Option<String>,
    },
    Unban {
        user: String,
        reason: Option<String>,
    },
    /// Says a message that waits for the team.
    Approve {
        id: MessageId,
        reason: Option<String>,
    },
    /// Decides that a message that waits is never said.
    Reject {
        id: MessageId,
        reason: Option<String>,
    },
    /// Puts a message above the others.
    PinMessage {
        id: MessageId,
    },
    UnpinMessage {},
    /// Changes the rules that are given.
    ChatRules(ChatRulesForm),
    SlowMode {
        seconds: i64,
    },
    /// An empty text takes the notice away.
    Announce {
        text: String,
    },
}

const VERBS: [&str; 28] = [
    "say",
    "react",
    "buy",
    "pay",
    "cancel",
    "refund",
    "seen",
    "wait",
    "unwait",
    "pin",
    "unpin",
    "open",
    "pause",
    "close",
    "restock",
    "extend",
    "delete_message",
    "mute",
    "unmute",
    "ban",
    "unban",
    "approve",
    "hide",
    "pin_message",
    "unpin_message",
    "chat_rules",
    "slow_mode",
    "announce",
];

/// References longer than this are not echoed, and so not taken.
const REFERENCE_BYTES_MAX: usize = 64;

impl ClientFrame {
    pub fn parse(text: &str) -> Self {
        let refused = |why: &str| Self { reference: None, verb: Err(Refusal::bad_request(why)) };
        let Ok(Value::Object(frame)) = serde_json::from_str::<Value>(text) else {
            return refused("a frame is one JSON object");
        };
        let reference = match frame.get("ref") {
            None | Some(Value::Null) => None,
            Some(Value::String(reference)) if reference.len() <= REFERENCE_BYTES_MAX => Some(reference.clone()),
            Some(_) => return refused("`ref` is a text of at most 64 bytes"),
        };
        let verb = match frame.get("do") {
            Some(Value::String(verb)) if VERBS.contains(&verb.as_str()) => serde_json::from_value(Value::Object(frame))
                .map_err(|error: serde_json::Error| Refusal::bad_request(error.to_string())),
            Some(Value::String(verb)) => Err(Refusal::UnknownVerb(verb.chars().take(40).collect())),
            _ => Err(Refusal::bad_request("`do` names a verb")),
        };
        Self { reference, verb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(text: &str) -> Result<Verb, &'static str> {
        ClientFrame::parse(text).verb.map_err(|refusal| refusal.code())
    }

    #[test]
    fn frames_are_understood_or_refused_by_code() {
        let offer = OfferId::new();
        let buy = |rest: &str| verb(&format!(r#"{{"ref":"1","do":"buy","offer":"{offer}",{rest}}}"#));
        assert_eq!(verb(r#"{"do":"say","text":"hi","more":1}"#), Ok(Verb::Say { text: "hi".into(), reply_to: None }));
        assert_eq!(buy(r#""qty":1,"key":"12345678""#), Ok(Verb::Buy { offer, qty: 1, key: Some("12345678".into()) }));
        assert_eq!(buy(r#""qty":1"#), Ok(Verb::Buy { offer, qty: 1, key: None }));
        for qty in ["1.5", "\"1\"", "null", "[]", "1e400", "99999999999999999999"] {
            assert_eq!(buy(&format!(r#""qty":{qty},"key":"12345678""#)), Err("bad_request"), "{qty}");
        }
        assert_eq!(verb(r#"{"do":"fly"}"#), Err("unknown_verb"));
        assert_eq!(verb(r#"{"do":7}"#), Err("bad_request"));
        assert_eq!(verb(r#"{}"#), Err("bad_request"));
        assert_eq!(verb("[]"), Err("bad_request"));
        assert_eq!(verb("{"), Err("bad_request"));
        assert_eq!(verb(&"[".repeat(10_000)), Err("bad_request"));
        assert_eq!(verb(&format!("{}1{}", r#"{"a":"#.repeat(3_000), "}".repeat(3_000))), Err("bad_request"));
        assert_eq!(verb(r#"{"ref":"1","do":"buy","offer":"nope","qty":1}"#), Err("bad_request"));
    }

    #[test]
    fn every_verb_is_in_the_list_of_names() {
        // serde names the variants it knows when it meets one it does not.
        let unknown = serde_json::from_str::<Verb>(r#"{"do":"fly"}"#).unwrap_err().to_string();
        for verb in VERBS {
            assert!(unknown.contains(&format!("`{verb}`")), "{verb}");
        }
        assert_eq!(unknown.matches('`').count(), 2 * (VERBS.len() + 1));
    }

    #[test]
    fn the_reference_comes_back_even_with_a_bad_verb() {
        let frame = ClientFrame::parse(r#"{"ref":"9","do":"fly"}"#);
        assert_eq!(frame.reference.as_deref(), Some("9"));
    }
}

//! A change of the state lane as nodes send it to each other: the same JSON values the viewers get, in an envelope.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::StateChange;
use super::state::Version;
use crate::domain::{Millis, OfferId};

#[derive(Serialize, Deserialize)]
#[serde(tag = "key", rename_all = "snake_case")]
enum Key {
    Pin { v: Version },
    Offer { id: OfferId, v: Version, closed: bool },
    Likes { likes: i64 },
    Chat { v: Version },
    Stream { v: Version },
    Delayed { since: Option<Millis> },
    Waiting { offer: OfferId, people: i64 },
}

#[derive(Serialize)]
struct Out<'a> {
    urgent: bool,
    of: Key,
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct In<'a> {
    urgent: bool,
    of: Key,
    #[serde(borrow)]
    value: &'a RawValue,
}

impl StateChange {
    /// `urgent`: past the tick.
    pub fn to_bytes(&self, urgent: bool) -> Bytes {
        let null = Bytes::from_static(b"null");
        let (of, json) = match self {
            StateChange::Pin { v, json } => (Key::Pin { v: *v }, json),
            StateChange::Offer { id, v, closed, json } => (Key::Offer { id: *id, v: *v, closed: *closed }, json),
            StateChange::Likes(likes) => (Key::Likes { likes: *likes }, &null),
            StateChange::Chat { v, json } => (Key::Chat { v: *v }, json),
            StateChange::Stream { v, json } => (Key::Stream { v: *v }, json),
            StateChange::Delayed(since) => (Key::Delayed { since: *since }, &null),
            StateChange::Waiting { offer, people } => (Key::Waiting { offer: *offer, people: *people }, &null),
        };
        // The values are JSON of our own making; should one not be, the change is dropped by whoever reads it.
        let value: &RawValue = serde_json::from_slice(json).unwrap_or(RawValue::NULL);
        json_bytes(&Out { urgent, of, value })
    }

    /// `None`: not a change this version knows.
    pub fn from_bytes(bytes: &Bytes) -> Option<(Self, bool)> {
        let In { urgent, of, value } = serde_json::from_slice(bytes).ok()?;
        let json = bytes.slice_ref(value.get().as_bytes());
        let change = match of {
            Key::Pin { v } => StateChange::Pin { v, json },
            Key::Offer { id, v, closed } => StateChange::Offer { id, v, closed, json },
            Key::Likes { likes } => StateChange::Likes(likes),
            Key::Chat { v } => StateChange::Chat { v, json },
            Key::Stream { v } => StateChange::Stream { v, json },
            Key::Delayed { since } => StateChange::Delayed(since),
            Key::Waiting { offer, people } => StateChange::Waiting { offer, people },
        };
        Some((change, urgent))
    }
}

/// JSON of one of our own views: text keys and plain values, so it cannot fail.
pub fn json_bytes(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_the_same_on_the_other_node() {
        let json = Bytes::from_static(br#"{"offer":"x","title":"\"\u0643"}"#);
        let v = [3, 14];
        for change in [
            StateChange::Pin { v, json: json.clone() },
            StateChange::Offer { id: OfferId::new(), v, closed: true, json: json.clone() },
            StateChange::Likes(12),
            StateChange::Chat { v, json: json.clone() },
            StateChange::Stream { v, json },
            StateChange::Delayed(Some(5)),
            StateChange::Waiting { offer: OfferId::new(), people: 2 },
        ] {
            assert_eq!(StateChange::from_bytes(&change.to_bytes(true)), Some((change, true)));
        }
        assert_eq!(StateChange::from_bytes(&Bytes::from_static(b"{}")), None);
    }
}

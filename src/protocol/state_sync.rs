//! State changes between nodes: the same JSON values that viewers receive, in an envelope.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::StateChange;
use super::state::StateVersion;
use crate::domain::reaction::ReactionCounts;
use crate::domain::{Millis, OfferId};

/// The key of a change, with the facts that the receiving node needs.
#[derive(Serialize, Deserialize)]
#[serde(tag = "key", rename_all = "snake_case")]
enum SyncKey {
    Pin { v: StateVersion },
    Offer { id: OfferId, v: StateVersion, closed: bool },
    Likes { likes: i64 },
    Reactions { node: u64, counts: ReactionCounts },
    Coupon { v: StateVersion },
    Chat { v: StateVersion },
    Stream { v: StateVersion },
    Delayed { since: Option<Millis> },
    StockAlerts { offer: OfferId, count: i64 },
}

#[derive(Serialize)]
struct OutgoingEnvelope<'a> {
    urgent: bool,
    key: SyncKey,
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct IncomingEnvelope<'a> {
    urgent: bool,
    key: SyncKey,
    #[serde(borrow)]
    value: &'a RawValue,
}

impl StateChange {
    /// Encodes the change for the other nodes. `urgent`: broadcast without waiting for the next tick.
    pub fn to_bytes(&self, urgent: bool) -> Bytes {
        let null = Bytes::from_static(b"null");
        let (key, json) = match self {
            StateChange::Pin { v, json } => (SyncKey::Pin { v: *v }, json),
            StateChange::Offer { id, v, closed, json } => (SyncKey::Offer { id: *id, v: *v, closed: *closed }, json),
            StateChange::Likes(likes) => (SyncKey::Likes { likes: *likes }, &null),
            StateChange::Reactions { node, counts } => (SyncKey::Reactions { node: *node, counts: *counts }, &null),
            StateChange::Coupon { v, json } => (SyncKey::Coupon { v: *v }, json),
            StateChange::Chat { v, json } => (SyncKey::Chat { v: *v }, json),
            StateChange::Stream { v, json } => (SyncKey::Stream { v: *v }, json),
            StateChange::Delayed(since) => (SyncKey::Delayed { since: *since }, &null),
            StateChange::StockAlerts { offer, count } => (SyncKey::StockAlerts { offer: *offer, count: *count }, &null),
        };
        // The values are our own JSON. If one were not valid, the receiving node would drop the change.
        let value: &RawValue = serde_json::from_slice(json).unwrap_or(RawValue::NULL);
        json_bytes(&OutgoingEnvelope { urgent, key, value })
    }

    /// Decodes a change and its urgency. `None`: this version does not know the change.
    pub fn from_bytes(bytes: &Bytes) -> Option<(Self, bool)> {
        let IncomingEnvelope { urgent, key, value } = serde_json::from_slice(bytes).ok()?;
        let json = bytes.slice_ref(value.get().as_bytes());
        let change = match key {
            SyncKey::Pin { v } => StateChange::Pin { v, json },
            SyncKey::Offer { id, v, closed } => StateChange::Offer { id, v, closed, json },
            SyncKey::Likes { likes } => StateChange::Likes(likes),
            SyncKey::Reactions { node, counts } => StateChange::Reactions { node, counts },
            SyncKey::Coupon { v } => StateChange::Coupon { v, json },
            SyncKey::Chat { v } => StateChange::Chat { v, json },
            SyncKey::Stream { v } => StateChange::Stream { v, json },
            SyncKey::Delayed { since } => StateChange::Delayed(since),
            SyncKey::StockAlerts { offer, count } => StateChange::StockAlerts { offer, count },
        };
        Some((change, urgent))
    }
}

/// Encodes one of our own views as JSON. It cannot fail, because the views have text keys and plain values.
pub fn json_bytes(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_is_the_same_after_encoding_and_decoding() {
        let json = Bytes::from_static(br#"{"offer":"x","title":"\"\u0643"}"#);
        let v = [3, 14];
        for change in [
            StateChange::Pin { v, json: json.clone() },
            StateChange::Offer { id: OfferId::new(), v, closed: true, json: json.clone() },
            StateChange::Likes(12),
            StateChange::Reactions { node: u64::MAX, counts: ReactionCounts { fire: 3, ..ReactionCounts::default() } },
            StateChange::Coupon { v, json: json.clone() },
            StateChange::Chat { v, json: json.clone() },
            StateChange::Stream { v, json },
            StateChange::Delayed(Some(5)),
            StateChange::StockAlerts { offer: OfferId::new(), count: 2 },
        ] {
            assert_eq!(StateChange::from_bytes(&change.to_bytes(true)), Some((change, true)));
        }
        assert_eq!(StateChange::from_bytes(&Bytes::from_static(b"{}")), None);
    }
}

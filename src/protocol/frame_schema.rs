//! The server's frames as types: for the description at `/docs`, and for a test that what is put together by hand
//! elsewhere has this shape. The room splices bytes; nothing is serialized from here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::view::{
    AuditEntryView, ChatRulesView, MessageView, OfferView, OrderView, PinView, StreamView, ViewerIdentity,
};
use crate::domain::{Event, MessageId, Millis, OfferId};

#[derive(ToSchema)]
#[schema(as = HelloFrame)]
#[allow(dead_code, reason = "described, not built")]
pub struct HelloFrame {
    /// `hello`
    pub t: String,
    pub recovered: bool,
    pub now: Millis,
    pub you: ViewerIdentity,
    /// Present and true for a sample: send `seen` once a pinned card is on the screen.
    pub receipts: Option<bool>,
    pub epoch: String,
    pub seq: u64,
    pub stream: StreamView,
    pub events: Vec<NumberedEvent>,
    pub state: StateFrame,
}

#[derive(ToSchema)]
#[schema(as = TickFrame)]
#[allow(dead_code, reason = "described, not built")]
pub struct TickFrame {
    /// `tick`
    pub t: String,
    pub seq: u64,
    pub events: Option<Vec<NumberedEvent>>,
    /// Only the keys, and only the offers, that changed.
    pub state: Option<StateFrame>,
}

#[derive(ToSchema)]
#[schema(as = SnapshotFrame)]
#[allow(dead_code, reason = "described, not built")]
pub struct SnapshotFrame {
    /// `snapshot`
    pub t: String,
    /// `hole`, `epoch` or `slow`
    pub why: String,
    pub recovered: bool,
    pub epoch: String,
    pub seq: u64,
    pub stream: StreamView,
    pub events: Vec<NumberedEvent>,
    pub state: StateFrame,
}

/// An event with its number in the epoch (0: said before the epoch began).
#[derive(Serialize, ToSchema)]
#[schema(as = NumberedEvent)]
#[allow(dead_code, reason = "described, not built")]
pub struct NumberedEvent {
    pub seq: u64,
    pub at: Millis,
    #[serde(flatten)]
    pub event: Event,
}

/// Since when, in epoch milliseconds.
#[derive(ToSchema)]
#[schema(as = Delayed)]
#[allow(dead_code, reason = "described, not built")]
pub struct DelayedView {
    pub since: Millis,
}

#[derive(ToSchema)]
#[schema(as = State)]
#[allow(dead_code, reason = "described, not built")]
pub struct StateFrame {
    pub pin: Option<PinView>,
    pub offers: Option<BTreeMap<OfferId, OfferView>>,
    pub viewers: Option<u64>,
    pub likes: Option<i64>,
    pub chat: Option<ChatRulesView>,
    /// Present while this node does not hear the others: talk is refused as `busy`, the number of viewers and what other
    /// nodes sell may be a second or more late. Null when that is over; absent when it never was.
    pub delayed: Option<DelayedView>,
    /// By offer, how many wait for units to come back; 0 is nobody any more. It reserves nothing. Absent when nobody waits.
    pub stock_alerts: Option<BTreeMap<OfferId, i64>>,
}

#[derive(ToSchema, Deserialize, Debug, PartialEq)]
#[schema(as = ReplyFrame)]
pub struct ReplyFrame {
    /// `reply`
    pub t: String,
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// What the verb gives: `{"order",…}` for buy, pay, cancel and refund; `{"id","held"}` for say; what REST answers for the rest.
    pub ok: Option<Value>,
    pub error: Option<ReplyError>,
}

#[derive(ToSchema, Deserialize, Debug, PartialEq)]
pub struct ReplyError {
    /// The stable word to act on; the same as over REST.
    pub code: String,
    pub message: String,
    pub retry_ms: Option<i64>,
    /// With `needs_action`: where the buyer does it.
    pub action_url: Option<String>,
}

#[derive(ToSchema)]
#[schema(as = OrderFrame)]
#[allow(dead_code, reason = "described, not built")]
pub struct OrderFrame {
    /// `order`
    pub t: String,
    pub order: OrderView,
}

#[derive(ToSchema)]
#[schema(as = HeldFrame)]
#[allow(dead_code, reason = "described, not built")]
pub struct ReviewFrame {
    /// `held`
    pub t: String,
    /// It waits to be looked at.
    pub message: Option<MessageView>,
    /// It does not wait any more.
    pub reviewed: Option<MessageId>,
}

#[derive(ToSchema)]
#[schema(as = ActionFrame)]
#[allow(dead_code, reason = "described, not built")]
pub struct AuditFrame {
    /// `action`
    pub t: String,
    pub entry: AuditEntryView,
}

#[derive(ToSchema, Deserialize, Debug, PartialEq)]
#[schema(as = MovingFrame)]
pub struct MovingFrame {
    /// `moving`
    pub t: String,
    pub retry_ms: i64,
}

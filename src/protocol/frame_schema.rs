//! The server's frames as types, for the protocol description at `/docs` and for a test that the frames have these shapes. The
//! frames themselves are assembled from encoded parts in `server.rs`; these types are never serialized.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::OrderView;
use super::problem::RefusalFacts;
use super::view::{AuditEntryView, ChatRulesView, MessageView, OfferView, PinView, StreamView, ViewerIdentity};
use crate::domain::reaction::ReactionCounts;
use crate::domain::{Event, MessageId, Millis, OfferId, ShownCoupon};

#[derive(ToSchema)]
#[allow(dead_code, reason = "a description; frames are assembled in server.rs")]
pub struct HelloFrame {
    /// `hello`
    pub t: String,
    pub recovered: bool,
    pub now: Millis,
    pub you: ViewerIdentity,
    /// Present and true for a sample of viewers: the client sends `seen` once the pin has arrived.
    pub receipts: Option<bool>,
    pub epoch: String,
    pub seq: u64,
    pub stream: StreamView,
    pub events: Vec<NumberedEvent>,
    pub state: StateFrame,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "a description; frames are assembled in server.rs")]
pub struct TickFrame {
    /// `tick`
    pub t: String,
    pub seq: u64,
    pub events: Option<Vec<NumberedEvent>>,
    /// Only the changed keys, and only the changed offers.
    pub state: Option<StateFrame>,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "a description; frames are assembled in server.rs")]
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

/// An event with its number in the epoch. 0: the event is older than the epoch.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a description; frames are assembled in server.rs")]
pub struct NumberedEvent {
    pub seq: u64,
    pub at: Millis,
    #[serde(flatten)]
    pub event: Event,
}

/// The start of a delay, in epoch milliseconds.
#[derive(ToSchema)]
#[schema(as = Delayed)]
#[allow(dead_code, reason = "a description; frames are assembled in server.rs")]
pub struct DelayedView {
    pub since: Millis,
}

#[derive(ToSchema)]
#[schema(as = State)]
#[allow(dead_code, reason = "a description; frames are assembled in server.rs")]
pub struct StateFrame {
    pub pin: Option<PinView>,
    pub offers: Option<BTreeMap<OfferId, OfferView>>,
    pub viewers: Option<u64>,
    /// Reactions of every kind.
    pub likes: Option<i64>,
    /// How many of the likes were which emoji, as far as this node knows; the others are hearts. Absent: nobody sent an emoji. The
    /// numbers are not kept: they may begin again when the node or the connection changes.
    pub reactions: Option<ReactionCounts>,
    /// The coupon that the team shows, which viewers can claim; `null`: it is shown no longer; absent in a whole state: none is shown.
    pub coupon: Option<ShownCoupon>,
    pub chat: Option<ChatRulesView>,
    /// Present while this node is not connected to the broker: chat is refused with `busy`, and the number of viewers and the
    /// sales of other nodes may be a second or more late. `null` when the delay is over; absent when there was none.
    pub delayed: Option<DelayedView>,
    /// The number of users with a stock alert, by offer. An alert reserves no units. 0: the last alert was removed; absent: no offer
    /// has alerts.
    pub stock_alerts: Option<BTreeMap<OfferId, i64>>,
    /// The show, when it was changed itself: its title, its video, its time. Hello and snapshots have it beside the state.
    pub stream: Option<StreamView>,
}

#[derive(ToSchema, Deserialize, Debug, PartialEq)]
pub struct ReplyFrame {
    /// `reply`
    pub t: String,
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The result of the verb: `{"order",…}` for buy, pay, cancel and refund; `{"id","pending_review"}` for say; the REST response
    /// for the others.
    pub ok: Option<Value>,
    pub error: Option<ReplyError>,
}

#[derive(ToSchema, Deserialize, Debug, PartialEq)]
pub struct ReplyError {
    /// The stable code on which a client acts; the same as over REST.
    pub code: String,
    pub message: String,
    pub retry_ms: Option<i64>,
    #[serde(flatten)]
    pub facts: RefusalFacts,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "a description; frames are assembled in server.rs")]
pub struct OrderFrame {
    /// `order`
    pub t: String,
    pub order: OrderView,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "a description; frames are assembled in server.rs")]
pub struct ReviewFrame {
    /// `review`
    pub t: String,
    /// A message that entered the review queue.
    pub message: Option<MessageView>,
    /// The id of a message that left the review queue.
    pub reviewed: Option<MessageId>,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "a description; frames are assembled in server.rs")]
pub struct AuditFrame {
    /// `audit`
    pub t: String,
    pub entry: AuditEntryView,
}

#[derive(ToSchema, Deserialize, Debug, PartialEq)]
pub struct MovingFrame {
    /// `moving`
    pub t: String,
    pub retry_ms: i64,
}

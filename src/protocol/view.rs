//! The shop's nouns as JSON. The shapes are the same over REST and on the socket.

use serde::Serialize;
use utoipa::ToSchema;

use super::state::StateVersion;
use crate::domain::Language;
use crate::domain::report::{OfferSales, PinSpan, ReportMinute};
use crate::domain::{
    AuditAction, AuditEntry, AuditEntryId, Author, ChatMessage, ChatRules, LinkRule, LiveStream, MessageId, Millis,
    Minor, Offer, OfferBuyers, OfferId, OfferKind, OfferStatus, ProductId, Quote, Role, Sanction, SanctionKind,
    StreamId, StreamStatus, Titles, UserId, VariantId,
};

/// An offer, always with all fields. A client also derives countdown → open → closed itself, from the times and the server's clock.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Offer)]
pub struct OfferView {
    pub id: OfferId,
    pub stream: StreamId,
    pub product: ProductId,
    pub variant: VariantId,
    /// The default title; `titles` has the other languages.
    pub title: String,
    pub titles: Titles,
    pub variant_name: String,
    pub variant_names: Titles,
    pub image: Option<String>,
    pub kind: OfferKind,
    /// Minor units of `currency`.
    pub price: Minor,
    pub old_price: Option<Minor>,
    pub currency: String,
    pub quantity: i64,
    /// Units that are not reserved.
    pub left: i64,
    pub per_buyer: i64,
    /// Epoch milliseconds; `null`: the sale has not started.
    pub opens_at: Option<Millis>,
    /// Epoch milliseconds; `null`: the sale has no end.
    pub closes_at: Option<Millis>,
    /// The duration of a hold, in seconds.
    pub hold_s: i64,
    pub countdown_s: i64,
    pub duration_s: Option<i64>,
    /// The position in the line-up: a lower number comes first; of two equal numbers, the smaller id comes first.
    pub position: i64,
    /// The scheduled start of the sale in epoch milliseconds, with the countdown before it; `null`: the host starts it.
    pub starts_at: Option<Millis>,
    /// Who may buy it. Left out: anyone who has signed in.
    #[serde(skip_serializing_if = "OfferBuyers::is_anyone")]
    pub buyers: OfferBuyers,
    /// Whether it can be paid later, where the shop takes such payments. Left out: a regular offer can be, a flash sale as the settings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_later: Option<bool>,
    pub status: OfferStatus,
    #[schema(value_type = Vec<i64>, example = json!([1, 7]))]
    pub v: StateVersion,
}

impl OfferView {
    pub fn of(offer: &Offer, epoch: i64, now: Millis) -> Self {
        let terms = &offer.terms;
        Self {
            id: offer.id,
            stream: offer.stream,
            product: offer.product,
            variant: offer.variant,
            title: offer.title.clone(),
            titles: offer.titles.clone(),
            variant_name: offer.variant_name.clone(),
            variant_names: offer.variant_names.clone(),
            image: offer.image.clone(),
            kind: offer.kind,
            price: terms.price,
            old_price: offer.old_price,
            currency: offer.currency.clone(),
            quantity: terms.quantity,
            left: terms.left(),
            per_buyer: terms.per_buyer,
            opens_at: terms.opens_at,
            closes_at: terms.closes_at,
            hold_s: terms.hold_ms / 1_000,
            countdown_s: offer.countdown_ms / 1_000,
            duration_s: offer.duration_ms.map(|ms| ms / 1_000),
            position: offer.position,
            starts_at: offer.starts_at,
            buyers: offer.buyers,
            pay_later: offer.pay_later,
            status: terms.status(now, offer.has_unpaid),
            v: [epoch, terms.version],
        }
    }
}

/// A show.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Stream)]
pub struct StreamView {
    pub id: StreamId,
    pub title: String,
    pub titles: Titles,
    pub status: StreamStatus,
    /// The URL of an HLS playlist, or `null`.
    pub video: Option<String>,
    /// The URL of the same video with low delay (WHEP), or `null`. Where it does not play, `video` does.
    pub whep: Option<String>,
    pub poster: Option<String>,
    /// The URL of the recording of a show that has ended, or `null`.
    pub replay: Option<String>,
    /// When the first picture of the recording was taken; `null` without a recording.
    pub replay_started_at: Option<Millis>,
    pub host: String,
    pub scheduled_at: Option<Millis>,
    pub started_at: Option<Millis>,
    pub ended_at: Option<Millis>,
    /// The show was cancelled before it began; its status is `ended`.
    pub cancelled_at: Option<Millis>,
    /// Words by which the shop sorts its shows.
    pub tags: Vec<String>,
    /// Increases with every change of the show itself: title, times, addresses, tags.
    pub version: i64,
    /// The current number of viewers, as far as this node knows.
    pub viewers: u64,
    pub now: Millis,
}

impl StreamView {
    pub fn of(stream: &LiveStream, viewers: u64, now: Millis) -> Self {
        Self {
            id: stream.id,
            title: stream.title.clone(),
            titles: stream.titles.clone(),
            status: stream.status,
            video: stream.video.clone(),
            whep: stream.whep.clone(),
            poster: stream.poster.clone(),
            replay: stream.replay.clone(),
            replay_started_at: stream.recorded_from(),
            host: stream.host.clone(),
            scheduled_at: stream.scheduled_at,
            started_at: stream.started_at,
            ended_at: stream.ended_at,
            cancelled_at: stream.cancelled_at,
            tags: stream.tags.clone(),
            version: stream.edition,
            viewers,
            now,
        }
    }
}

/// A copy of a show.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = StreamCopy)]
pub struct StreamCopyView {
    pub stream: StreamView,
    /// Offers that were copied as drafts.
    pub copied: i64,
    /// Offers that were left out: nothing is in stock, or the product is archived.
    pub skipped: i64,
}

/// The pinned offer.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Pin)]
pub struct PinView {
    pub offer: OfferId,
    #[schema(value_type = Vec<i64>, example = json!([1, 7]))]
    pub v: StateVersion,
}

/// A chat message.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView {
    pub id: MessageId,
    pub at: Millis,
    pub from: Author,
    pub text: String,
    /// The message that this one replies to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Quote>,
    pub deleted: bool,
}

impl From<ChatMessage> for MessageView {
    fn from(message: ChatMessage) -> Self {
        let ChatMessage { id, at, from, text, reply, deleted, .. } = message;
        Self { id, at, from, text, reply, deleted }
    }
}

/// The reply to `say`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, ToSchema)]
pub struct SayReply {
    pub id: MessageId,
    /// The message is in the review queue; only its author and the team see it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pending_review: bool,
}

/// An entry of the audit log. The affected user sees the role of the team member, not the name.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditEntryView {
    pub id: AuditEntryId,
    pub stream: StreamId,
    pub at: Millis,
    pub kind: AuditAction,
    /// The team member who took the action. For the team only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Author>,
    pub role: Role,
    /// The user on whom the action was taken.
    pub user: Option<UserId>,
    pub name: Option<String>,
    pub message: Option<MessageId>,
    /// The text of the message.
    pub text: Option<String>,
    /// The id of the offer or order that the action concerns.
    pub subject: Option<String>,
    /// Details of the action: seconds, units, the rules that changed.
    pub detail: Option<String>,
    pub reason: Option<String>,
}

impl AuditEntryView {
    /// The entry as the team sees it.
    pub fn of(entry: AuditEntry) -> Self {
        let AuditEntry { id, stream, at, by, kind, user, name, message, subject, detail, reason, text } = entry;
        let role = by.role;
        Self { id, stream, at, kind, by: Some(by), role, user, name, message, text, subject, detail, reason }
    }

    /// The entry as the affected user sees it.
    pub fn for_affected_user(entry: AuditEntry) -> Self {
        Self { by: None, ..Self::of(entry) }
    }
}

/// The result of an erasure: what was erased of a user, and what was kept and why.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Erased)]
pub struct ErasedView {
    /// The number of erased messages.
    pub messages: u64,
    /// The number of orders that no longer contain the buyer's name.
    pub orders: u64,
    /// The number of erased reasons and other free texts of the team that were about the user or named the user.
    pub texts: u64,
    /// The language of `why`: that of the user's account, else the one that was asked for.
    pub language: Language,
    pub kept: Vec<KeptView>,
}

/// Data that an erasure keeps, and the reason.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Kept)]
pub struct KeptView {
    /// `orders`, `addresses`, `invoices`, `sanctions` or `audit_log`
    pub what: String,
    pub count: u64,
    pub why: String,
}

/// A muted or banned user.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Sanction)]
pub struct SanctionView {
    pub user: UserId,
    pub name: String,
    pub kind: SanctionKind,
    /// Epoch milliseconds; `null`: until the sanction is lifted.
    pub until: Option<Millis>,
    pub by: String,
    /// The role that imposed it. A lower role cannot change it.
    pub by_role: Role,
    pub reason: Option<String>,
}

impl From<Sanction> for SanctionView {
    fn from(sanction: Sanction) -> Self {
        let Sanction { user, name, kind, until, by, by_role, reason, .. } = sanction;
        Self { user, name, kind, until, by, by_role, reason }
    }
}

/// The chat rules as a state key.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = ChatRules)]
pub struct ChatRulesView {
    /// Slow mode: the least number of milliseconds between two messages of one viewer; 0 is off.
    pub slow_ms: i64,
    pub notice: Option<String>,
    /// Only the team may send messages.
    pub off: bool,
    /// What happens to a viewer's message that contains a link.
    pub links: LinkRule,
    /// Every viewer's message goes to the review queue.
    pub review_all: bool,
    /// The pinned message, shown above the others.
    pub pinned: Option<Quote>,
    #[schema(value_type = Vec<i64>, example = json!([1, 7]))]
    pub v: StateVersion,
}

impl ChatRulesView {
    pub fn of(rules: &ChatRules, v: StateVersion) -> Self {
        let ChatRules { slow_ms, notice, off, links, review_all, pinned } = rules.clone();
        Self { slow_ms, notice, off, links, review_all, pinned, v }
    }
}

/// The figures of a show.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct StreamReport {
    pub orders_held: i64,
    pub orders_paid: i64,
    pub units_paid: i64,
    /// The revenue without refunded amounts: goods, without delivery and added tax.
    pub amount_paid: Minor,
    /// Orders that were paid and refunded later.
    pub orders_refunded: i64,
    pub amount_refunded: Minor,
    /// Holds that expired without payment.
    pub orders_expired: i64,
    /// Orders that the buyer cancelled or that ended with a failed capture.
    pub orders_cancelled: i64,
    /// Failed payment attempts. Their orders may have been paid later.
    pub payments_failed: i64,
    pub currency: String,
    pub messages: i64,
    pub viewers: u64,
    pub viewers_peak: u64,
    pub likes: i64,
    /// The 99th percentile of the time, in milliseconds, until a frame of the last minute reached all viewers on the node that
    /// answers; `null`: no frame was sent.
    pub delivery_p99_ms: Option<u64>,
    /// How many viewers see the pinned offer; `null` when no offer is pinned or this node has no viewers.
    pub card: Option<CardReach>,
    /// Faults of the video that viewers on the node that answers have reported.
    pub video_faults: super::VideoFaultCounts,
}

/// The figures of a show, in total and over time.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct FullStreamReport {
    pub stream: StreamView,
    pub report: StreamReport,
    /// The minutes with any figure, oldest first, at most of the last day.
    pub minutes: Vec<ReportMinute>,
    /// The periods in which offers were pinned, oldest first.
    pub pins: Vec<PinSpan>,
    pub offers: Vec<OfferSales>,
}

/// What happened in a show, beside its chat: the page shows a recording by it.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct ShowLog {
    /// The periods in which offers were pinned, oldest first; at most the last 2,000.
    pub pins: Vec<PinSpan>,
    /// Chat messages from before this time are erased (`--chat-days`); `null`: all are kept.
    pub messages_kept_from: Option<Millis>,
}

/// How far the pinned offer has reached: a sample of viewers, at most 500 per node, confirms once its pin has arrived.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct CardReach {
    pub offer: OfferId,
    /// The viewers in the sample who are still connected or have confirmed.
    pub asked: usize,
    /// The viewers who have confirmed.
    pub seen: usize,
    /// The median time in milliseconds from the broadcast of the pin to the confirmations.
    pub p50_ms: Option<Millis>,
    /// The 95th percentile of the same time.
    pub p95_ms: Option<Millis>,
}

/// The identity of the viewer, as `hello` contains it.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct ViewerIdentity {
    pub id: UserId,
    pub name: String,
    pub role: crate::domain::Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted_reason: Option<String>,
}

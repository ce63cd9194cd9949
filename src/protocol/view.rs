//! The shop's nouns as JSON: the same shapes over REST and the socket.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::report::{OfferSales, PinSpan, ReportMinute};
use crate::domain::{
    Address, AuditAction, AuditEntry, AuditEntryId, Author, ChatMessage, ChatRules, LinkRule, LiveStream, MessageId,
    Millis, Minor, Offer, OfferId, OfferKind, OfferStatus, Order, OrderHistoryEntry, OrderId, OrderStatus, Product,
    ProductId, Quote, Role, Sanction, SanctionKind, Shop, ShopId, StreamId, StreamStatus, Titles, UserId, Variant,
    VariantId,
};

/// `[epoch, version]`: of two views of one thing the larger is newer. Compare the epoch first.
pub type Version = [i64; 2];

/// An offer, always whole. A client derives countdown → open → closed itself too, from the times and the server's clock.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Offer)]
pub struct OfferView {
    pub id: OfferId,
    pub stream: StreamId,
    pub product: ProductId,
    pub variant: VariantId,
    /// The default text; `titles` has the other languages.
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
    /// Units that can be bought now.
    pub left: i64,
    pub per_buyer: i64,
    /// Epoch milliseconds; null: not started.
    pub opens_at: Option<Millis>,
    /// Epoch milliseconds; null: no end.
    pub closes_at: Option<Millis>,
    /// How long a hold lasts, in seconds.
    pub hold_s: i64,
    pub countdown_s: i64,
    pub duration_s: Option<i64>,
    /// Its place in the run-down: lower comes first, and of two alike the one with the smaller id.
    pub position: i64,
    /// Epoch milliseconds when the sale begins by itself, the countdown before it; null: when the host starts it.
    pub starts_at: Option<Millis>,
    pub status: OfferStatus,
    #[schema(value_type = Vec<i64>, example = json!([1, 7]))]
    pub v: Version,
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
            status: terms.status(now, offer.unpaid),
            v: [epoch, terms.version],
        }
    }
}

/// An order as its buyer sees it. A hold is an order in status `held`.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderView {
    pub id: OrderId,
    pub stream: StreamId,
    pub offer: OfferId,
    pub title: String,
    pub titles: Titles,
    pub variant_name: String,
    pub variant_names: Titles,
    pub image: Option<String>,
    pub status: OrderStatus,
    pub qty: i64,
    pub amount: Minor,
    pub currency: String,
    /// "You are number 137": dense from 1 within the offer.
    pub place: i64,
    /// Never released before; released at most 5 s after.
    pub hold_until: Millis,
    pub created_at: Millis,
    pub paid_at: Option<Millis>,
    /// Why it ended: `hold_ended`, `buyer_cancel`, `capture_failed`, `refunded`.
    pub reason: Option<String>,
    pub version: i64,
    /// The server's time of this view.
    pub now: Millis,
}

impl OrderView {
    pub fn of(order: &Order, offer: Option<&Offer>, now: Millis) -> Self {
        Self {
            id: order.id,
            stream: order.stream,
            offer: order.offer,
            title: offer.map(|offer| offer.title.clone()).unwrap_or_default(),
            titles: offer.map(|offer| offer.titles.clone()).unwrap_or_default(),
            variant_name: offer.map(|offer| offer.variant_name.clone()).unwrap_or_default(),
            variant_names: offer.map(|offer| offer.variant_names.clone()).unwrap_or_default(),
            image: offer.and_then(|offer| offer.image.clone()),
            status: order.status,
            qty: order.qty,
            amount: order.amount,
            currency: order.currency.clone(),
            place: order.place,
            hold_until: order.hold_until,
            created_at: order.created_at,
            paid_at: order.paid_at,
            reason: order.reason.clone(),
            version: order.version,
            now,
        }
    }
}

/// An order of one's own with what became of it.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct OrderDetail {
    #[serde(flatten)]
    pub order: OrderView,
    /// Oldest first.
    pub history: Vec<OrderHistoryEntry>,
    /// Where it goes; null: not said, or erased.
    pub address: Option<Address>,
}

#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Stream)]
pub struct StreamView {
    pub id: StreamId,
    pub title: String,
    pub titles: Titles,
    pub status: StreamStatus,
    /// An HLS playlist, or null.
    pub video: Option<String>,
    pub poster: Option<String>,
    pub host: String,
    pub scheduled_at: Option<Millis>,
    pub started_at: Option<Millis>,
    pub ended_at: Option<Millis>,
    /// Viewers now, as this node knows.
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
            poster: stream.poster.clone(),
            host: stream.host.clone(),
            scheduled_at: stream.scheduled_at,
            started_at: stream.started_at,
            ended_at: stream.ended_at,
            viewers,
            now,
        }
    }
}

/// The pinned offer: the card that is shown now.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Pin)]
pub struct PinView {
    pub offer: OfferId,
    #[schema(value_type = Vec<i64>, example = json!([1, 7]))]
    pub v: Version,
}

#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Shop)]
pub struct ShopView {
    pub id: ShopId,
    pub title: String,
    pub titles: Titles,
    /// ISO 4217.
    pub currency: String,
    /// `POST /v1/dev/tokens` signs anybody in: a demo.
    pub dev_login: bool,
    /// Where browsers find the shop, when the operator said so: what links to share begin with.
    pub base_url: Option<String>,
}

impl ShopView {
    pub fn of(shop: &Shop, dev_login: bool, base_url: Option<&str>) -> Self {
        let Shop { id, title, titles, currency } = shop.clone();
        Self { id, title, titles, currency, dev_login, base_url: base_url.map(str::to_owned) }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub struct ProductView {
    pub id: ProductId,
    pub title: String,
    pub titles: Titles,
    pub image: Option<String>,
    pub category: Option<String>,
    pub variants: Vec<VariantView>,
}

#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Variant)]
pub struct VariantView {
    pub id: VariantId,
    pub name: String,
    pub names: Titles,
    pub sku: Option<String>,
    pub price: Minor,
    pub currency: String,
    /// Units in the pool, in no offer; for the team only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<i64>,
}

impl ProductView {
    pub fn of(product: &Product, currency: &str, for_team: bool) -> Self {
        Self {
            id: product.id,
            title: product.title.clone(),
            titles: product.titles.clone(),
            image: product.image.clone(),
            category: product.category.clone(),
            variants: product.variants.iter().map(|variant| VariantView::of(variant, currency, for_team)).collect(),
        }
    }
}

impl VariantView {
    pub fn of(variant: &Variant, currency: &str, for_team: bool) -> Self {
        Self {
            id: variant.id,
            name: variant.name.clone(),
            names: variant.names.clone(),
            sku: variant.sku.clone(),
            price: variant.price,
            currency: currency.to_owned(),
            stock: for_team.then_some(variant.stock),
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView {
    pub id: MessageId,
    pub at: Millis,
    pub from: Author,
    pub text: String,
    /// What it answers.
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

/// What came of saying something.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, ToSchema)]
pub struct SayReply {
    pub id: MessageId,
    /// It waits for the team; only its author and the team see it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

/// Something the team did. Those it was done to are told its role, not who it was.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Action)]
pub struct AuditEntryView {
    pub id: AuditEntryId,
    pub stream: StreamId,
    pub at: Millis,
    pub kind: AuditAction,
    /// Who did it; for the team only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Author>,
    pub role: Role,
    /// Whom it was done to.
    pub user: Option<UserId>,
    pub name: Option<String>,
    pub message: Option<MessageId>,
    /// What that message said.
    pub text: Option<String>,
    /// The offer or order it was about.
    pub subject: Option<String>,
    /// What exactly: seconds, units, the rules that changed.
    pub detail: Option<String>,
    pub reason: Option<String>,
}

impl AuditEntryView {
    /// As the team sees it.
    pub fn of(deed: AuditEntry) -> Self {
        let AuditEntry { id, stream, at, by, kind, user, name, message, subject, detail, reason, text } = deed;
        let role = by.role;
        Self { id, stream, at, kind, by: Some(by), role, user, name, message, text, subject, detail, reason }
    }

    /// As the one it was done to sees it.
    pub fn for_affected_user(deed: AuditEntry) -> Self {
        Self { by: None, ..Self::of(deed) }
    }
}

/// What was forgotten of a person, and what was kept and why.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Erased)]
pub struct ErasedView {
    /// Messages that are gone.
    pub messages: u64,
    /// Orders that no longer carry the buyer's name and address.
    pub orders: u64,
    pub kept: Vec<KeptView>,
}

#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Kept)]
pub struct KeptView {
    /// `orders`, `sanctions` or `actions`
    pub what: String,
    pub count: u64,
    pub why: String,
}

/// A person kept quiet or out.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Sanction)]
pub struct SanctionView {
    pub user: UserId,
    pub name: String,
    pub kind: SanctionKind,
    /// Epoch milliseconds; null: until lifted.
    pub until: Option<Millis>,
    pub by: String,
    pub reason: Option<String>,
}

impl From<Sanction> for SanctionView {
    fn from(sanction: Sanction) -> Self {
        let Sanction { user, name, kind, until, by, reason } = sanction;
        Self { user, name, kind, until, by, reason }
    }
}

/// The chat rules as a state key.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = ChatRules)]
pub struct ChatRulesView {
    /// At least this many milliseconds between two messages of one viewer; 0 is off.
    pub slow_ms: i64,
    pub notice: Option<String>,
    /// Only the team may speak.
    pub off: bool,
    /// What becomes of a viewer's message with a link in it.
    pub links: LinkRule,
    /// Every viewer's message waits for the team.
    pub review_all: bool,
    /// The comment that stands above the others.
    pub pinned: Option<Quote>,
    #[schema(value_type = Vec<i64>, example = json!([1, 7]))]
    pub v: Version,
}

impl ChatRulesView {
    pub fn of(rules: &ChatRules, v: Version) -> Self {
        let ChatRules { slow_ms, notice, off, links, review_all, pinned } = rules.clone();
        Self { slow_ms, notice, off, links, review_all, pinned, v }
    }
}

/// A show in numbers.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct StreamReport {
    pub orders_held: i64,
    pub orders_paid: i64,
    pub units_paid: i64,
    /// What stays with the shop: money given back is not in it.
    pub amount_paid: Minor,
    /// Paid once and given back since.
    pub orders_refunded: i64,
    pub amount_refunded: Minor,
    /// Holds that ended unpaid, and those their buyer or a failed payment ended.
    pub orders_expired: i64,
    pub orders_cancelled: i64,
    /// Tries to take money that came to nothing; the order may be paid since.
    pub payments_failed: i64,
    pub currency: String,
    pub messages: i64,
    pub viewers: u64,
    pub viewers_peak: u64,
    pub likes: i64,
    /// In so many milliseconds, or fewer, 99 of 100 frames of the last minute were with all viewers on the node that was
    /// asked; null: nothing was sent.
    pub delivery_p99_ms: Option<u64>,
    /// How far the pinned card has got; null when nothing is pinned or nobody watches on this node.
    pub card: Option<CardReach>,
}

/// A show in numbers, with its course.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct FullStreamReport {
    pub stream: StreamView,
    pub report: StreamReport,
    /// Minutes in which something happened, oldest first, at most the last day.
    pub minutes: Vec<ReportMinute>,
    /// What was the card when, oldest first.
    pub pins: Vec<PinSpan>,
    pub offers: Vec<OfferSales>,
}

/// A sample of the viewers, at most 500 on a node, says when the pinned card is on the screen.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct CardReach {
    pub offer: OfferId,
    /// How many were asked, and are still here or have answered.
    pub asked: usize,
    pub seen: usize,
    /// Milliseconds from the card being sent to the answers of half of those who answered, and of 95 in 100.
    pub p50_ms: Option<Millis>,
    pub p95_ms: Option<Millis>,
}

/// Who you are, as `hello` tells it.
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

//! One show as the samples of `docs/protocol.md`: built from the types that the server sends, so that a changed field changes the page.

use std::collections::BTreeMap;

use livesouk::domain::reaction::ReactionCounts;
use livesouk::domain::{
    AuditAction, AuditEntry, AuditEntryId, Author, ChatRules, LinkRule, MessageId, OfferBuyers, OfferId, OfferKind,
    OfferStatus, OrderId, OrderStatus, ProductId, ReservationStatus, Role, StreamId, StreamStatus, UserId, VariantId,
};
use livesouk::protocol::{
    AuditEntryView, ChatRulesView, MessageView, OfferView, OrderView, PinView, ReservationView, RoomState, StateChange,
    StreamView, ViewerIdentity, json_bytes,
};
use serde::Serialize;
use uuid::Uuid;

/// The time of the samples.
pub const NOW: i64 = 1_760_000_000_130;
/// The version of everything in the samples: the epoch of the database, and the number of changes.
const VERSION: [i64; 2] = [1, 7];

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_a0a0_0000_7000_8000_0000_0000_0000 + number)
}

pub fn offer_id() -> OfferId {
    OfferId(id(1))
}

pub fn message_id() -> MessageId {
    MessageId(id(2))
}

fn stream_id() -> StreamId {
    StreamId(id(9))
}

pub fn ann() -> Author {
    Author { id: UserId::parse("ann").expect("a valid id"), name: "Ann".to_owned(), role: Role::Viewer }
}

/// What hello says about the viewer.
pub fn identity() -> ViewerIdentity {
    let Author { id, name, role } = ann();
    ViewerIdentity { id, name, role, muted_until: None, muted_reason: None }
}

fn stream() -> StreamView {
    StreamView {
        id: stream_id(),
        title: "Evening show".to_owned(),
        titles: BTreeMap::new(),
        status: StreamStatus::Live,
        video: None,
        whep: None,
        poster: None,
        replay: None,
        replay_started_at: None,
        host: "Noura".to_owned(),
        scheduled_at: None,
        started_at: Some(1_759_999_000_000),
        ended_at: None,
        cancelled_at: None,
        tags: Vec::new(),
        version: 1,
        viewers: 1284,
        now: NOW,
    }
}

fn offer() -> OfferView {
    OfferView {
        id: offer_id(),
        stream: stream_id(),
        product: ProductId(id(4)),
        variant: VariantId(id(5)),
        title: "Leather sandals".to_owned(),
        titles: BTreeMap::from([("ar".to_owned(), "صندل جلد".to_owned())]),
        variant_name: "42".to_owned(),
        variant_names: BTreeMap::new(),
        image: None,
        kind: OfferKind::Flash,
        price: 14_900,
        old_price: Some(19_900),
        currency: "SAR".to_owned(),
        quantity: 200,
        left: 63,
        per_buyer: 2,
        opens_at: Some(1_759_999_900_000),
        closes_at: Some(1_760_000_500_000),
        hold_s: 300,
        countdown_s: 10,
        duration_s: Some(600),
        position: 1,
        starts_at: None,
        buyers: OfferBuyers::Anyone,
        pay_later: None,
        status: OfferStatus::Open,
        v: VERSION,
    }
}

/// The reserved units of a buyer.
pub fn reservation() -> ReservationView {
    let OfferView { stream, id: offer, title, titles, variant_name, variant_names, image, price, currency, .. } =
        offer();
    ReservationView {
        id: OrderId(id(3)),
        stream,
        offer,
        order: OrderId(id(3)),
        title,
        titles,
        variant_name,
        variant_names,
        image,
        status: ReservationStatus::Held,
        qty: 1,
        returned: 0,
        amount: price,
        currency,
        place: 137,
        hold_until: 1_760_000_300_000,
        created_at: 1_760_000_000_000,
        reason: None,
        version: 1,
        now: NOW,
    }
}

/// The order of that reservation.
pub fn order() -> OrderView {
    let line = reservation();
    OrderView {
        id: line.order,
        number: None,
        stream: line.stream,
        offer: line.offer,
        title: line.title.clone(),
        titles: line.titles.clone(),
        variant_name: line.variant_name.clone(),
        variant_names: line.variant_names.clone(),
        image: line.image.clone(),
        status: OrderStatus::Held,
        qty: line.qty,
        amount: line.amount,
        currency: line.currency.clone(),
        place: line.place,
        hold_until: line.hold_until,
        created_at: line.created_at,
        paid_at: None,
        reason: None,
        version: line.version,
        now: NOW,
        quote: None,
        payment_place: None,
        manual_methods: Vec::new(),
        paid_at_once: Vec::new(),
        delivery_problem: None,
        placement: None,
        bank_details: None,
        lines: vec![line],
    }
}

/// A message in the review queue.
pub fn message() -> MessageView {
    let text = "Is it real leather?".to_owned();
    MessageView { id: message_id(), at: 1_760_000_000_100, from: ann(), text, reply: None, deleted: false }
}

/// A mute, as the muted user receives it.
pub fn mute() -> AuditEntryView {
    let by = Author { id: UserId::parse("omar").expect("a valid id"), name: "Omar".to_owned(), role: Role::Moderator };
    let Author { id: user, name, .. } = ann();
    AuditEntryView::for_affected_user(AuditEntry {
        id: AuditEntryId(id(6)),
        stream: stream_id(),
        at: NOW,
        by,
        kind: AuditAction::Mute,
        user: Some(user),
        name: Some(name),
        message: None,
        subject: None,
        detail: Some("300 s".to_owned()),
        reason: Some("Insults".to_owned()),
        text: None,
    })
}

/// The room of the show: the pinned offer, the chat rules and the counts.
pub fn room_state() -> RoomState {
    let rules = ChatRules { slow_ms: 5_000, links: LinkRule::Review, ..ChatRules::default() };
    let rules = ChatRulesView::of(&rules, VERSION);
    let (offer, pin) = (offer(), PinView { offer: offer_id(), v: VERSION });
    let mut state = RoomState::default();
    state.set_viewers(1284);
    for change in [
        StateChange::Stream { v: VERSION, json: json_bytes(&stream()) },
        StateChange::Pin { v: VERSION, json: json_bytes(&pin) },
        StateChange::Offer { id: offer.id, v: offer.v, closed: false, json: json_bytes(&offer) },
        StateChange::Chat { v: rules.v, json: json_bytes(&rules) },
        StateChange::Likes(310),
        StateChange::Reactions { node: 1, counts: ReactionCounts { clap: 12, fire: 41, ..ReactionCounts::default() } },
    ] {
        state.set(change);
    }
    state
}

/// Parts of a frame are handed over as JSON.
pub fn json(value: &impl Serialize) -> Vec<u8> {
    json_bytes(value).to_vec()
}

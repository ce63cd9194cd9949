//! Small builders of the suite: users, keys, purchase requests; and readers of results.

use livesouk::domain::order::request_hash;
use livesouk::domain::{
    Actor, AuditAction, AuditEntry, Author, ChatRules, IdempotencyKey, LiveStream, Name, PersonKey, PurchaseRequest,
    Refusal, ReservationId, Role, StreamId, StreamStatus, UserId,
};
use livesouk::store::{BatchOutcome, Error};

pub fn stream(id: StreamId) -> LiveStream {
    LiveStream {
        id,
        title: "Show".into(),
        titles: Default::default(),
        host: "Noura".into(),
        status: StreamStatus::Scheduled,
        video: None,
        poster: None,
        scheduled_at: None,
        started_at: None,
        ended_at: None,
        pin: None,
        chat: ChatRules::default(),
        blocklist_version: 0,
        likes: 0,
        version: 1,
        edition: 1,
        ..LiveStream::default()
    }
}

pub fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub fn person(id: &str) -> PersonKey {
    PersonKey::of_user(&user(id))
}

pub fn actor(id: &str) -> Actor {
    let name = Name::parse(id).unwrap();
    Actor {
        user: user(id),
        name,
        role: Role::Viewer,
        stream: None,
        expires_at: None,
        token: Default::default(),
        session: None,
    }
}

pub fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

pub fn purchase_request(buyer: &str, with: &str, qty: i64) -> PurchaseRequest {
    PurchaseRequest {
        reservation: ReservationId::new(),
        buyer: user(buyer),
        person: person(buyer),
        buyer_name: buyer.to_owned(),
        key: key(with),
        hash: request_hash(&["buy", &qty.to_string()]),
        qty,
    }
}

/// One request of one unit for each of these buyers.
pub fn purchase_requests(buyers: impl IntoIterator<Item = usize>) -> Vec<PurchaseRequest> {
    buyers.into_iter().map(|n| purchase_request(&format!("buyer-{n}"), &format!("key-of-{n:04}"), 1)).collect()
}

/// The places of the new orders of a batch.
pub fn places(sold: &BatchOutcome) -> Vec<i64> {
    sold.results
        .iter()
        .flatten()
        .filter(|answered| !answered.replayed)
        .map(|answered| answered.reservation.place)
        .collect()
}

pub fn code<T>(answer: &Result<T, Refusal>) -> &'static str {
    answer.as_ref().map_or_else(|refusal| refusal.code(), |_| "ok")
}

/// The refusal of a verb; a fault panics.
pub fn refusal<T>(answer: livesouk::store::Result<T>) -> Refusal {
    match answer {
        Ok(_) => panic!("it was not refused"),
        Err(Error::Refused(refusal)) => refusal,
        Err(fault) => panic!("expected a refusal, got a fault: {fault}"),
    }
}

/// An action of the moderator `mod`.
pub fn audit_entry(stream: StreamId, kind: AuditAction) -> AuditEntry {
    AuditEntry::new(stream, Author { id: user("mod"), name: "Mo".to_owned(), role: Role::Moderator }, kind, 7)
}

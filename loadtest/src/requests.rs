//! Every request that was sent to the server: its kind, when it was due, and its result.

use std::collections::BTreeMap;

use crate::invariants::{Epoch, ViolationKind};
use crate::measurements::LatencyClass;
use crate::room::LatencySample;
use crate::wire::{ServerEvent, ServerOrder};

/// The number of a request. It is the `ref` on the wire, and the text of a message contains it.
pub type RequestId = usize;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestKind {
    Say,
    React,
    /// A verb of the host.
    Host,
    /// The number of the purchase.
    Buy(usize),
    Pay(usize),
}

#[derive(Clone, Debug)]
pub struct SentRequest {
    pub kind: RequestKind,
    pub viewer: u32,
    pub room: u32,
    /// When the request was due, in µs of the simulation's clock. Latency counts from here, however late it was sent.
    pub intended: u64,
    pub status: RequestStatus,
    /// The position of a message in the event log.
    pub event_position: Option<(Epoch, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestStatus {
    Pending,
    Done,
    Refused,
    /// The connection was lost before a reply came, or there was none to send the request on.
    Lost,
}

/// One purchase: it has one key, however often it is sent.
#[derive(Clone, Debug)]
pub struct SimulatedPurchase {
    pub room: u32,
    pub viewer: u32,
    pub offer: String,
    pub key: String,
    pub intended: u64,
    pub attempts: u32,
    pub outcome: PurchaseState,
}

impl SimulatedPurchase {
    /// One of several attempts got no reply. Refusals are not stored, so that attempt may have won.
    pub fn mark_unknown(&mut self) {
        if let PurchaseState::Refused(_) = self.outcome {
            self.outcome = PurchaseState::Unknown;
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum PurchaseState {
    /// There was no reply, or the reply said that the outcome is unknown: an order may exist or not.
    Unknown,
    Held(ServerOrder),
    /// Refused with this code: certainly no order exists.
    Refused(String),
}

/// An event that a request will cause.
#[derive(Debug)]
struct ExpectedEvent {
    kind: &'static str,
    offer: String,
    intended: u64,
    event_position: Option<(Epoch, u64)>,
}

#[derive(Debug)]
pub struct RequestLog {
    /// Distinguishes the messages of this run from those of another load test in the same room.
    run_id: String,
    pub all: Vec<SentRequest>,
    pub purchases: Vec<SimulatedPurchase>,
    expected: Vec<ExpectedEvent>,
}

impl RequestLog {
    pub fn new(run_id: String) -> Self {
        Self { run_id, all: Vec::new(), purchases: Vec::new(), expected: Vec::new() }
    }

    pub fn add(&mut self, kind: RequestKind, viewer: u32, room: u32, intended: u64) -> RequestId {
        self.all.push(SentRequest {
            kind,
            viewer,
            room,
            intended,
            status: RequestStatus::Pending,
            event_position: None,
        });
        self.all.len() - 1
    }

    /// Adds a purchase with a key of its own, so that its order can be found in the database.
    pub fn add_purchase(&mut self, room: u32, viewer: u32, offer: &str, intended: u64) -> usize {
        let key = format!("loadtest-{}-{}", self.run_id, self.purchases.len());
        let (offer, outcome) = (offer.to_owned(), PurchaseState::Unknown);
        self.purchases.push(SimulatedPurchase { room, viewer, offer, key, intended, attempts: 0, outcome });
        self.purchases.len() - 1
    }

    /// The end of a message's text. It identifies the message when the server broadcasts it.
    pub fn marker(&self, request: RequestId) -> String {
        format!("[{}-{}]", self.run_id, request)
    }

    fn parse_marker(&self, text: &str) -> Option<RequestId> {
        let (run, request) = text.strip_suffix(']')?.rsplit_once('[')?.1.rsplit_once('-')?;
        request.parse().ok().filter(|request| run == self.run_id && *request < self.all.len())
    }

    /// From now on, the latency of an event of this kind about this offer counts from `intended`.
    pub fn expect_event(&mut self, kind: &'static str, offer: &str, intended: u64) {
        self.expected.push(ExpectedEvent { kind, offer: offer.to_owned(), intended, event_position: None });
    }

    /// Matches an event of the log to our own requests. A message that has two positions is a violation.
    pub fn receive_event(
        &mut self,
        event: &ServerEvent,
        at: (Epoch, u64),
    ) -> Result<Option<LatencySample>, ViolationKind> {
        if event.kind == "chat" {
            let Some(request) = event.text.as_deref().and_then(|text| self.parse_marker(text)) else { return Ok(None) };
            let request = &mut self.all[request];
            return match request.event_position.replace(at) {
                Some(before) if before != at => Err(ViolationKind::MessageDuplicated),
                _ => Ok(Some(LatencySample { class: LatencyClass::Chat, since: request.intended })),
            };
        }
        let Some(offer) = event.offer.as_deref() else { return Ok(None) };
        let mut expected = self.expected.iter_mut().filter(|one| one.kind == event.kind && one.offer == offer);
        let found = expected.find(|one| one.event_position.is_none_or(|known| known == at));
        Ok(found.map(|one| {
            one.event_position = Some(at);
            LatencySample { class: LatencyClass::HostAction, since: one.intended }
        }))
    }

    /// The purchases by result: number held, number refused by code, and number unknown.
    pub fn purchase_outcomes(&self) -> (usize, BTreeMap<String, u64>, usize) {
        let (mut held, mut refused, mut unknown) = (0, BTreeMap::new(), 0);
        for purchase in self.purchases.iter().filter(|purchase| purchase.attempts > 0) {
            match &purchase.outcome {
                PurchaseState::Held(_) => held += 1,
                PurchaseState::Refused(code) => *refused.entry(code.clone()).or_default() += 1,
                PurchaseState::Unknown => unknown += 1,
            }
        }
        (held, refused, unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: &str) -> ServerEvent<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn message_is_matched_by_its_marker_and_has_one_position() {
        let mut requests = RequestLog::new("r7".into());
        let request = requests.add(RequestKind::Say, 0, 0, 5);
        let text = format!("hi [x] {}", requests.marker(request));
        let json = format!(r#"{{"seq":3,"at":1,"type":"chat","id":"m","text":"{text}"}}"#);
        let sample = Some(LatencySample { class: LatencyClass::Chat, since: 5 });
        assert_eq!(requests.receive_event(&event(&json), (1, 3)), Ok(sample));
        assert_eq!(requests.receive_event(&event(&json), (1, 3)), Ok(sample), "the copy of another viewer");
        assert_eq!(requests.receive_event(&event(&json), (1, 4)), Err(ViolationKind::MessageDuplicated));
        for other in ["hi", "hi [r8-0]", "hi [r7-1]", "[r7-x]", "[]", "]"] {
            let json = format!(r#"{{"seq":3,"at":1,"type":"chat","id":"m","text":"{other}"}}"#);
            assert_eq!(requests.receive_event(&event(&json), (1, 9)), Ok(None), "{other}");
        }
    }

    #[test]
    fn latency_of_a_pin_counts_from_when_it_was_due() {
        let mut requests = RequestLog::new("r7".into());
        requests.expect_event("pinned", "o", 10);
        requests.expect_event("pinned", "o", 20);
        let json = r#"{"seq":3,"at":1,"type":"pinned","offer":"o"}"#;
        let since = |requests: &mut RequestLog, at| {
            requests.receive_event(&event(json), at).unwrap().map(|sample| sample.since)
        };
        assert_eq!(since(&mut requests, (1, 3)), Some(10));
        assert_eq!(since(&mut requests, (1, 3)), Some(10));
        assert_eq!(since(&mut requests, (1, 8)), Some(20));
        assert_eq!(since(&mut requests, (1, 9)), None);
    }
}

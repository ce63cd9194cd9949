//! Everything the crowd asked of the server: what for, when it was to happen, and what became of it.

use std::collections::BTreeMap;

use crate::invariants::{Epoch, ViolationKind};
use crate::measurements::LatencyClass;
use crate::room::LatencySample;
use crate::wire::{ServerEvent, ServerOrder};

/// The number of an ask is its `ref` on the wire and stands in the text of a message.
pub type RequestId = usize;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestKind {
    Say,
    React,
    /// A host's verb.
    Host,
    /// By the number of the purchase.
    Buy(usize),
    Pay(usize),
}

#[derive(Clone, Debug)]
pub struct SentRequest {
    pub what: RequestKind,
    pub viewer: u32,
    pub room: u32,
    /// When it was to be sent, in µs of the crowd's clock: latency counts from here, however late it was.
    pub intended: u64,
    pub status: RequestStatus,
    /// Where in the log a message stands.
    pub told: Option<(Epoch, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestStatus {
    Pending,
    Done,
    Refused,
    /// The link was lost before an answer came, or there was none to send it on.
    Lost,
}

/// One press on "buy": one key, however often it is sent.
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
    /// One of several presses got no answer. Refusals are not stored, so that one may have won.
    pub fn mark_unknown(&mut self) {
        if let PurchaseState::Refused(_) = self.outcome {
            self.outcome = PurchaseState::Unknown;
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum PurchaseState {
    /// No answer, or one that says so: in the books or not.
    Unknown,
    Held(ServerOrder),
    /// By code: certainly not in the books.
    Refused(String),
}

/// An event that some ask is to cause.
#[derive(Debug)]
struct ExpectedEvent {
    kind: &'static str,
    offer: String,
    intended: u64,
    event_position: Option<(Epoch, u64)>,
}

#[derive(Debug)]
pub struct RequestLog {
    /// Tells the messages of this run from those of another crowd in the same room.
    run_id: String,
    pub all: Vec<SentRequest>,
    pub purchases: Vec<SimulatedPurchase>,
    expected: Vec<ExpectedEvent>,
}

impl RequestLog {
    pub fn new(run_id: String) -> Self {
        Self { run_id, all: Vec::new(), purchases: Vec::new(), expected: Vec::new() }
    }

    pub fn add(&mut self, what: RequestKind, viewer: u32, room: u32, intended: u64) -> RequestId {
        self.all.push(SentRequest { what, viewer, room, intended, status: RequestStatus::Pending, told: None });
        self.all.len() - 1
    }

    /// The key of a new purchase is the crowd's own, so that it can be found in the books.
    pub fn press(&mut self, room: u32, viewer: u32, offer: &str, intended: u64) -> usize {
        let key = format!("crowd-{}-{}", self.run_id, self.purchases.len());
        let (offer, outcome) = (offer.to_owned(), PurchaseState::Unknown);
        self.purchases.push(SimulatedPurchase { room, viewer, offer, key, intended, attempts: 0, outcome });
        self.purchases.len() - 1
    }

    /// The end of a message's text, by which it is known when it comes back.
    pub fn marker(&self, ask: RequestId) -> String {
        format!("[{}-{}]", self.run_id, ask)
    }

    fn parse_marker(&self, text: &str) -> Option<RequestId> {
        let (run, ask) = text.strip_suffix(']')?.rsplit_once('[')?.1.rsplit_once('-')?;
        ask.parse().ok().filter(|ask| run == self.run_id && *ask < self.all.len())
    }

    /// From now on an event of this kind about this offer is counted from `intended`.
    pub fn expect(&mut self, kind: &'static str, offer: &str, intended: u64) {
        self.expected.push(ExpectedEvent { kind, offer: offer.to_owned(), intended, event_position: None });
    }

    /// An event of the log: what of it is ours. A message that is told under two numbers is a breach.
    pub fn told(&mut self, event: &ServerEvent, at: (Epoch, u64)) -> Result<Option<LatencySample>, ViolationKind> {
        if event.kind == "chat" {
            let Some(ask) = event.text.as_deref().and_then(|text| self.parse_marker(text)) else { return Ok(None) };
            let ask = &mut self.all[ask];
            return match ask.told.replace(at) {
                Some(before) if before != at => Err(ViolationKind::MessageDuplicated),
                _ => Ok(Some(LatencySample { class: LatencyClass::Chat, since: ask.intended })),
            };
        }
        let Some(offer) = event.offer.as_deref() else { return Ok(None) };
        let mut expected = self.expected.iter_mut().filter(|one| one.kind == event.kind && one.offer == offer);
        let one = expected.find(|one| one.event_position.is_none_or(|told| told == at));
        Ok(one.map(|one| {
            one.event_position = Some(at);
            LatencySample { class: LatencyClass::HostAction, since: one.intended }
        }))
    }

    /// Purchases by what became of them: held, refused by code, and unknown.
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
    fn a_message_is_known_by_its_end_and_told_once() {
        let mut asks = RequestLog::new("r7".into());
        let ask = asks.add(RequestKind::Say, 0, 0, 5);
        let text = format!("hi [x] {}", asks.marker(ask));
        let json = format!(r#"{{"seq":3,"at":1,"type":"chat","id":"m","text":"{text}"}}"#);
        let mark = Some(LatencySample { class: LatencyClass::Chat, since: 5 });
        assert_eq!(asks.told(&event(&json), (1, 3)), Ok(mark));
        assert_eq!(asks.told(&event(&json), (1, 3)), Ok(mark), "another viewer's copy");
        assert_eq!(asks.told(&event(&json), (1, 4)), Err(ViolationKind::MessageDuplicated));
        for other in ["hi", "hi [r8-0]", "hi [r7-1]", "[r7-x]", "[]", "]"] {
            let json = format!(r#"{{"seq":3,"at":1,"type":"chat","id":"m","text":"{other}"}}"#);
            assert_eq!(asks.told(&event(&json), (1, 9)), Ok(None), "{other}");
        }
    }

    #[test]
    fn a_pin_is_counted_from_when_the_host_was_to_press() {
        let mut asks = RequestLog::new("r7".into());
        asks.expect("pinned", "o", 10);
        asks.expect("pinned", "o", 20);
        let json = r#"{"seq":3,"at":1,"type":"pinned","offer":"o"}"#;
        let since = |asks: &mut RequestLog, at| asks.told(&event(json), at).unwrap().map(|mark| mark.since);
        assert_eq!(since(&mut asks, (1, 3)), Some(10));
        assert_eq!(since(&mut asks, (1, 3)), Some(10));
        assert_eq!(since(&mut asks, (1, 8)), Some(20));
        assert_eq!(since(&mut asks, (1, 9)), None);
    }
}

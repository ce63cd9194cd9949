//! What comes in on a viewer's link: the answer to the handshake, frames, and the end.

use crate::frame;
use crate::invariants::{SharedFrameKind, ViolationKind};
use crate::measurements::{LatencyClass, Measurements};
use crate::requests::{PurchaseState, RequestKind, RequestStatus};
use crate::room::SharedFrame;
use crate::simulation::{ScheduledAction, Simulation};
use crate::viewer::{ConnectionStage, ReadBehavior, SimulatedViewer};
use crate::violations::{Violation, ViolationLog, excerpt};
use crate::wire::{IncomingFrame, ReplyOk, ServerError};
use rand::RngExt;

/// Full jitter without a word from the server: anywhere below a ceiling that doubles.
const RETRY_MIN_MS: u64 = 500;
const RETRY_MAX_MS: u64 = 20_000;
/// How often one press is sent, with one key.
const PURCHASE_ATTEMPTS_MAX: u32 = 6;

impl Simulation {
    /// Takes what is whole and says how many bytes that was.
    pub(crate) fn receive_bytes(&mut self, viewer: u32, bytes: &[u8], now: u64) -> usize {
        let at = viewer as usize;
        let mut used = 0;
        if self.viewers[at].stage == ConnectionStage::Upgrading {
            match self.handshake.parse_response(bytes) {
                None => return 0,
                Some(frame::UpgradeResponse::Upgraded(head)) => {
                    used = head;
                    self.viewers[at].stage = ConnectionStage::AwaitingHello;
                    self.measurements.counters.upgrades += 1;
                    self.measurements
                        .record_latency(LatencyClass::Handshake, now.saturating_sub(self.viewers[at].connect_due));
                    self.connected += 1;
                }
                Some(frame::UpgradeResponse::Refused { status, retry_after_s }) => {
                    self.on_disconnect(viewer, &format!("HTTP {status}"), retry_after_s.map(|seconds| seconds * 1_000));
                    return bytes.len();
                }
                Some(frame::UpgradeResponse::Invalid(why)) => {
                    self.on_disconnect(viewer, why, None);
                    return bytes.len();
                }
            }
        }
        while self.viewers[at].socket.is_some() {
            match frame::parse_frame(&bytes[used..], self.handshake.deflate) {
                Ok(None) => break,
                Ok(Some((frame, length))) => {
                    used += length;
                    self.receive_frame(viewer, frame, now);
                }
                Err(why) => {
                    self.record_violation(viewer, ViolationKind::InvalidFrame, why.to_owned(), &bytes[used..]);
                    self.on_disconnect(viewer, "a bad frame", None);
                }
            }
        }
        used
    }

    fn receive_frame(&mut self, viewer: u32, frame: frame::RawFrame, now: u64) {
        let at = viewer as usize;
        match frame.opcode {
            frame::TEXT if frame.last => self.receive_message(viewer, frame.payload, frame.is_deflated, now),
            frame::TEXT | 0 => {
                let one = &mut self.viewers[at];
                one.fragments.extend_from_slice(frame.payload);
                one.fragments_deflated |= frame.is_deflated;
                if frame.last {
                    let (whole, deflated) = (std::mem::take(&mut one.fragments), one.fragments_deflated);
                    one.fragments_deflated = false;
                    self.receive_message(viewer, &whole, deflated, now);
                }
            }
            frame::PING => self.send_frame(viewer, frame::PONG, frame.payload),
            frame::PONG => {}
            frame::CLOSE => {
                let (code, retry_ms) = frame::parse_close(frame.payload);
                self.send_frame(viewer, frame::CLOSE, frame.payload);
                self.on_disconnect(viewer, &code.to_string(), retry_ms);
            }
            other => self.record_violation(
                viewer,
                ViolationKind::InvalidFrame,
                format!("a frame with opcode {other}"),
                frame.payload,
            ),
        }
    }

    /// A whole message, as it came over the wire.
    fn receive_message(&mut self, viewer: u32, bytes: &[u8], deflated: bool, now: u64) {
        let counters = &mut self.measurements.counters;
        counters.frames += 1;
        counters.bytes += bytes.len() as u64;
        if !deflated {
            return self.receive_payload(viewer, bytes, now);
        }
        match self.inflate_cache.inflate(bytes) {
            Ok(payload) => self.receive_payload(viewer, &payload, now),
            Err(why) => self.record_violation(viewer, ViolationKind::InvalidFrame, why.to_owned(), bytes),
        }
    }

    fn receive_payload(&mut self, viewer: u32, payload: &[u8], now: u64) {
        let one = &mut self.viewers[viewer as usize];
        let room = &mut self.rooms[one.room as usize];
        let mut ears = SharedFrameReceiver { measurements: &mut self.measurements, violations: &mut self.violations };
        if one.state.has_hello() {
            if let Some(shared) = room.cached(payload) {
                if ears.receive(viewer, one, shared, &room.stream, payload, now) {
                    self.last_received_at = now;
                }
                return;
            }
        } else if let Some((shared, _)) = room.cached_hello(payload) {
            ears.receive(viewer, one, shared, &room.stream, payload, now);
            // A `now` is always a little old when it arrives; the first readers of each hello have set the clock.
            return self.on_hello(viewer, now);
        }
        let wire: IncomingFrame = match serde_json::from_slice(payload) {
            Ok(wire) => wire,
            Err(error) => {
                return self.record_violation(
                    viewer,
                    ViolationKind::InvalidFrame,
                    format!("no JSON of ours: {error}"),
                    payload,
                );
            }
        };
        match &*wire.t {
            "tick" | "snapshot" | "hello" => {
                self.last_received_at = now;
                let epoch = one.state.position().map_or(0, |(epoch, _)| epoch);
                room.decode(payload, &wire, epoch, &mut self.requests, now);
                let hello = wire.t == "hello";
                let shared = room.newest(hello);
                ears.receive(viewer, one, shared, &room.stream, payload, now);
                if hello {
                    if let Some(server) = wire.now {
                        let offset = server * 1_000 - now as i64;
                        self.server_clock = Some(self.server_clock.map_or(offset, |known| known.max(offset)));
                    }
                    self.on_hello(viewer, now);
                }
            }
            "reply" => self.on_reply(viewer, &wire, payload, now),
            "order" | "held" | "action" => {}
            "moving" => {
                let within = wire.retry_ms.unwrap_or(0);
                let wait = self.random.random_range(0..=within);
                self.on_disconnect(viewer, "moving", Some(wait));
            }
            other => self.record_violation(
                viewer,
                ViolationKind::InvalidFrame,
                format!("a frame of kind {other:?}"),
                payload,
            ),
        }
    }

    /// Hello has been said.
    fn on_hello(&mut self, viewer: u32, now: u64) {
        let one = &mut self.viewers[viewer as usize];
        one.stage = ConnectionStage::Live;
        one.attempts = 0;
        self.measurements.record_latency(LatencyClass::Join, now.saturating_sub(one.connect_due));
        if std::mem::take(&mut one.is_returning) {
            self.measurements.counters.reconnects += 1;
        }
        if let ReadBehavior::Slow(_) = one.read_behavior {
            self.at(now, ScheduledAction::ReadSlowly(viewer));
        }
        for purchase in std::mem::take(&mut self.viewers[viewer as usize].unsettled_purchases) {
            self.at(now, ScheduledAction::Buy(purchase));
        }
    }

    /// The link is gone. The server may have said after how long to come back, or by its code not to.
    pub(crate) fn on_disconnect(&mut self, viewer: u32, why: &str, retry_ms: Option<u64>) {
        let one = &mut self.viewers[viewer as usize];
        if one.is_connected() {
            self.count_disconnect();
        }
        let one = &mut self.viewers[viewer as usize];
        let handshake = matches!(one.stage, ConnectionStage::Connecting | ConnectionStage::Upgrading);
        one.close();
        self.measurements.counters.disconnects += 1;
        *self.measurements.disconnect_reasons.entry(why.to_owned()).or_default() += 1;
        if handshake {
            self.measurements.record_error(format!("handshake: {why}"));
        }
        self.fail_pending_requests(viewer);
        let for_good = why.parse::<u16>().is_ok_and(|code| (4500..5000).contains(&code)) || why == "HTTP 404";
        let one = &mut self.viewers[viewer as usize];
        if for_good {
            one.stage = ConnectionStage::Left;
            one.is_returning = false;
            return self.measurements.record_error(format!("sent away: {why}"));
        }
        let ceiling = (RETRY_MIN_MS << one.attempts.min(10)).min(RETRY_MAX_MS);
        one.attempts += 1;
        one.is_returning = true;
        let wait_ms = retry_ms.unwrap_or_else(|| self.random.random_range(0..=ceiling));
        let due = self.now() + wait_ms * 1_000;
        self.at(due, ScheduledAction::Connect(viewer));
    }

    /// What was asked on a link that is gone has no answer; purchases are asked again on the next one.
    pub(crate) fn fail_pending_requests(&mut self, viewer: u32) {
        for ask in self.take_pending_requests(viewer) {
            self.requests.all[ask].status = RequestStatus::Lost;
            if let RequestKind::Buy(purchase) = self.requests.all[ask].what {
                self.requests.purchases[purchase].mark_unknown();
                self.viewers[viewer as usize].unsettled_purchases.push(purchase);
            }
        }
    }

    fn on_reply(&mut self, viewer: u32, wire: &IncomingFrame, payload: &[u8], now: u64) {
        let one = &mut self.viewers[viewer as usize];
        let ask = wire.reference.as_deref().and_then(|reference| reference.parse::<usize>().ok());
        let place = ask.and_then(|ask| one.pending_requests.iter().position(|waiting| *waiting == ask));
        let (Some(id), Some(place)) = (ask, place) else {
            return self.record_violation(
                viewer,
                ViolationKind::InvalidFrame,
                "an answer to nothing that was asked".to_owned(),
                payload,
            );
        };
        one.pending_requests.swap_remove(place);
        let ask = &mut self.requests.all[id];
        ask.status = if wire.error.is_none() { RequestStatus::Done } else { RequestStatus::Refused };
        let (what, late) = (ask.what, now.saturating_sub(ask.intended));
        match (what, &wire.error) {
            (RequestKind::Buy(purchase), _) => return self.on_purchase_reply(viewer, purchase, wire, payload, now),
            (RequestKind::Say, None) => self.measurements.counters.messages_acknowledged += 1,
            (RequestKind::Say, Some(_)) => self.measurements.counters.messages_refused += 1,
            (RequestKind::Pay(_), None) => self.measurements.counters.paid += 1,
            _ => {}
        }
        match &wire.error {
            None if matches!(what, RequestKind::Say | RequestKind::React) => {
                self.measurements.record_latency(LatencyClass::Reply, late)
            }
            None => {}
            Some(error) => self.record_refusal(what, error),
        }
    }

    fn record_refusal(&mut self, what: RequestKind, error: &ServerError) {
        let name = match what {
            RequestKind::Say => "say",
            RequestKind::React => "react",
            RequestKind::Host => "host",
            RequestKind::Buy(_) => "buy",
            RequestKind::Pay(_) => "pay",
        };
        if what == RequestKind::Host || error.code == "unavailable" {
            self.measurements.record_error(format!("{name}: {}", error.code));
        }
        *self.measurements.refusals.entry(format!("{name}: {}", error.code)).or_default() += 1;
    }

    fn on_purchase_reply(&mut self, viewer: u32, number: usize, wire: &IncomingFrame, payload: &[u8], now: u64) {
        let done: ReplyOk = wire.ok.and_then(|ok| serde_json::from_str(ok.get()).ok()).unwrap_or_default();
        let purchase = &mut self.requests.purchases[number];
        let before = &purchase.outcome;
        match (&wire.error, done.order) {
            (None, Some(order)) => {
                let differs = matches!(before, PurchaseState::Held(known) if (&known.id, known.place) != (&order.id, order.place));
                if differs {
                    let what = format!("key {} was answered with another order before", purchase.key);
                    return self.record_violation(viewer, ViolationKind::OrderDuplicated, what, payload);
                }
                if matches!(before, PurchaseState::Held(_)) {
                    return;
                }
                let (room, offer, place, late) = (purchase.room, order.offer.clone(), order.place, purchase.intended);
                self.measurements.counters.held += order.qty as u64;
                purchase.outcome = PurchaseState::Held(order);
                self.measurements.record_latency(LatencyClass::Buy, now.saturating_sub(late));
                self.rooms[room as usize].record_purchase(&offer, place, now);
                if self.random.random_range(0..100) < self.payment_percent {
                    let think = self.random.random_range(1_000_000..3_000_000);
                    self.at(now + think, ScheduledAction::Pay(number));
                }
            }
            (None, None) => self.record_violation(
                viewer,
                ViolationKind::InvalidFrame,
                "a purchase without an order".to_owned(),
                payload,
            ),
            (Some(error), _) => {
                let unknown = matches!(&*error.code, "outcome_unknown" | "unavailable");
                let again = unknown || matches!(&*error.code, "busy" | "not_open");
                if matches!(before, PurchaseState::Held(_)) && !unknown && error.code != "busy" {
                    let what = format!("key {} is held, and a retry was refused", purchase.key);
                    return self.record_violation(viewer, ViolationKind::OrderDuplicated, what, payload);
                }
                if again && purchase.attempts < PURCHASE_ATTEMPTS_MAX {
                    let wait_ms = error.retry_ms.unwrap_or(500);
                    self.record_refusal(RequestKind::Buy(number), error);
                    return self.at(now + wait_ms * 1_000, ScheduledAction::Buy(number));
                }
                let late = now.saturating_sub(purchase.intended);
                let first = !matches!(before, PurchaseState::Refused(_));
                if !unknown && !matches!(before, PurchaseState::Held(_)) {
                    purchase.outcome = PurchaseState::Refused(error.code.to_string());
                }
                if first {
                    self.measurements.counters.purchases_refused += 1;
                    self.measurements.record_latency(LatencyClass::Buy, late);
                }
                self.record_refusal(RequestKind::Buy(number), error);
            }
        }
    }

    fn record_violation(&mut self, viewer: u32, breach: ViolationKind, what: String, payload: &[u8]) {
        let one = &self.viewers[viewer as usize];
        let seq = one.state.position().map_or(0, |(_, seq)| seq);
        self.violations.record(Violation {
            kind: breach,
            at_s: self.now() as f64 / 1e6,
            viewer: Some(viewer),
            room: self.rooms[one.room as usize].stream.clone(),
            seq,
            what,
            excerpt: excerpt(payload, seq),
        });
    }
}

/// What hearing a shared frame needs besides the viewer and the room.
struct SharedFrameReceiver<'a> {
    measurements: &'a mut Measurements,
    violations: &'a mut ViolationLog,
}

impl SharedFrameReceiver<'_> {
    /// `true` when there was something new for this viewer.
    fn receive(
        &mut self,
        number: u32,
        viewer: &mut SimulatedViewer,
        shared: &SharedFrame,
        stream: &str,
        payload: &[u8],
        now: u64,
    ) -> bool {
        let before = viewer.state.position().map_or(0, |(_, seq)| seq);
        let heard = viewer.state.apply(&shared.told);
        let counters = &mut self.measurements.counters;
        counters.deliveries += u64::from(heard.events);
        counters.missed += heard.missed;
        counters.stale_values += u64::from(heard.stale_values);
        if let SharedFrameKind::Hello { recovered } = shared.told.kind
            && viewer.is_returning
        {
            counters.recovered += u64::from(recovered);
        }
        counters.resynced += u64::from(heard.resynced);
        if heard.resynced || before == 0 {
            viewer.complete_since = now;
        }
        if let Some(breach) = heard.violation {
            let told = &shared.told;
            let events =
                told.first.map_or("no events".to_owned(), |first| format!("{} events from {first}", told.count));
            self.violations.record(Violation {
                kind: breach,
                at_s: now as f64 / 1e6,
                viewer: Some(number),
                room: stream.to_owned(),
                seq: before,
                what: format!("then came {:?} to {} with {events}", told.kind, told.seq),
                excerpt: excerpt(payload, before),
            });
        }
        // Who reads badly, or catches up, would measure themselves.
        if !viewer.is_slow_reader && shared.told.kind == SharedFrameKind::Tick {
            for mark in &shared.samples {
                self.measurements.record_latency(mark.class, now.saturating_sub(mark.since));
            }
        }
        heard.events > 0 || shared.told.kind != SharedFrameKind::Tick
    }
}

//! Receives what comes in on a viewer's connection: the response to the handshake, frames, and the end.

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

/// Full jitter when the server gives no delay: a random delay below a ceiling that doubles.
const RETRY_MIN_MS: u64 = 500;
const RETRY_MAX_MS: u64 = 20_000;
/// How often one purchase is sent, always with the same key.
const PURCHASE_ATTEMPTS_MAX: u32 = 6;

impl Simulation {
    /// Processes all complete frames and returns how many bytes they had.
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
                    self.on_disconnect(viewer, "invalid frame", None);
                }
            }
        }
        used
    }

    fn receive_frame(&mut self, viewer: u32, frame: frame::RawFrame, now: u64) {
        let at = viewer as usize;
        match frame.opcode {
            frame::TEXT if frame.is_final => self.receive_message(viewer, frame.payload, frame.is_deflated, now),
            frame::TEXT | 0 => {
                let one = &mut self.viewers[at];
                one.fragments.extend_from_slice(frame.payload);
                one.fragments_deflated |= frame.is_deflated;
                if frame.is_final {
                    let (whole, deflated) = (std::mem::take(&mut one.fragments), one.fragments_deflated);
                    one.fragments_deflated = false;
                    self.receive_message(viewer, &whole, deflated, now);
                }
            }
            frame::PING => self.send_frame(viewer, frame::PONG, frame.payload),
            frame::PONG => {}
            frame::CLOSE => {
                let frame::CloseReason { code, retry_ms, ticket } = frame::parse_close(frame.payload);
                self.send_frame(viewer, frame::CLOSE, frame.payload);
                self.viewers[at].ticket = ticket;
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

    /// A complete message, as it came over the wire.
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
        let mut receiver =
            SharedFrameReceiver { measurements: &mut self.measurements, violations: &mut self.violations };
        if one.state.has_hello() {
            if let Some(shared) = room.cached(payload) {
                if receiver.receive(viewer, one, shared, &room.stream, payload, now) {
                    self.last_received_at = now;
                }
                return;
            }
        } else if let Some((shared, _)) = room.cached_hello(payload) {
            receiver.receive(viewer, one, shared, &room.stream, payload, now);
            // A `now` is always a little old when it arrives. The first readers of each hello have set the clock.
            return self.on_hello(viewer, now);
        }
        let wire: IncomingFrame = match serde_json::from_slice(payload) {
            Ok(wire) => wire,
            Err(error) => {
                return self.record_violation(
                    viewer,
                    ViolationKind::InvalidFrame,
                    format!("the JSON is invalid: {error}"),
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
                receiver.receive(viewer, one, shared, &room.stream, payload, now);
                if hello {
                    if let Some(server) = wire.now {
                        let offset = server * 1_000 - now as i64;
                        self.server_clock = Some(self.server_clock.map_or(offset, |known| known.max(offset)));
                    }
                    self.on_hello(viewer, now);
                }
            }
            "reply" => self.on_reply(viewer, &wire, payload, now),
            "order" | "review" | "reviewed" | "audit" => {}
            "moving" => {
                let within = wire.retry_ms.unwrap_or(0);
                let wait = self.random.random_range(0..=within);
                self.on_disconnect(viewer, "moving", Some(wait));
            }
            other => self.record_violation(
                viewer,
                ViolationKind::InvalidFrame,
                format!("a frame of unknown kind {other:?}"),
                payload,
            ),
        }
    }

    /// The hello was received.
    fn on_hello(&mut self, viewer: u32, now: u64) {
        let one = &mut self.viewers[viewer as usize];
        one.stage = ConnectionStage::Live;
        one.attempts = 0;
        one.ticket = None;
        self.measurements.record_latency(LatencyClass::Join, now.saturating_sub(one.connect_due));
        if std::mem::take(&mut one.is_returning) {
            self.measurements.counters.reconnects += 1;
        }
        if let ReadBehavior::Slow(_) = one.read_behavior {
            self.schedule(now, ScheduledAction::ReadSlowly(viewer));
        }
        for purchase in std::mem::take(&mut self.viewers[viewer as usize].unsettled_purchases) {
            self.schedule(now, ScheduledAction::Buy(purchase));
        }
    }

    /// The connection is lost. The server may have sent a delay for the reconnect, or a code that forbids it.
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
        let for_good =
            why.parse::<u16>().is_ok_and(|code| matches!(code, 1000 | 1002 | 1003 | 1007 | 1009 | 4500..5000))
                || why == "HTTP 404";
        let one = &mut self.viewers[viewer as usize];
        if for_good {
            one.stage = ConnectionStage::Left;
            one.is_returning = false;
            return self.measurements.record_error(format!("closed permanently: {why}"));
        }
        let ceiling = (RETRY_MIN_MS << one.attempts.min(10)).min(RETRY_MAX_MS);
        one.attempts += 1;
        one.is_returning = true;
        let wait_ms = retry_ms.unwrap_or_else(|| self.random.random_range(0..=ceiling));
        let due = self.now() + wait_ms * 1_000;
        self.schedule(due, ScheduledAction::Connect(viewer));
    }

    /// Requests on a lost connection get no reply. Purchases are sent again on the next connection.
    pub(crate) fn fail_pending_requests(&mut self, viewer: u32) {
        for request in self.take_pending_requests(viewer) {
            self.requests.all[request].status = RequestStatus::Lost;
            if let RequestKind::Buy(purchase) = self.requests.all[request].kind {
                self.requests.purchases[purchase].mark_unknown();
                self.viewers[viewer as usize].unsettled_purchases.push(purchase);
            }
        }
    }

    fn on_reply(&mut self, viewer: u32, wire: &IncomingFrame, payload: &[u8], now: u64) {
        let one = &mut self.viewers[viewer as usize];
        let request = wire.reference.as_deref().and_then(|reference| reference.parse::<usize>().ok());
        let place = request.and_then(|request| one.pending_requests.iter().position(|waiting| *waiting == request));
        let (Some(id), Some(place)) = (request, place) else {
            return self.record_violation(
                viewer,
                ViolationKind::InvalidFrame,
                "a reply without a request".to_owned(),
                payload,
            );
        };
        one.pending_requests.swap_remove(place);
        let request = &mut self.requests.all[id];
        request.status = if wire.error.is_none() { RequestStatus::Done } else { RequestStatus::Refused };
        let (kind, late) = (request.kind, now.saturating_sub(request.intended));
        match (kind, &wire.error) {
            (RequestKind::Buy(purchase), _) => return self.on_purchase_reply(viewer, purchase, wire, payload, now),
            (RequestKind::Say, None) => self.measurements.counters.messages_acknowledged += 1,
            (RequestKind::Say, Some(_)) => self.measurements.counters.messages_refused += 1,
            (RequestKind::Pay(_), None) => self.measurements.counters.paid += 1,
            _ => {}
        }
        match &wire.error {
            None if matches!(kind, RequestKind::Say | RequestKind::React) => {
                self.measurements.record_latency(LatencyClass::Reply, late);
            }
            None => {}
            Some(error) => self.record_refusal(kind, error),
        }
    }

    fn record_refusal(&mut self, kind: RequestKind, error: &ServerError) {
        let name = match kind {
            RequestKind::Say => "say",
            RequestKind::React => "react",
            RequestKind::Host => "host",
            RequestKind::Buy(_) => "buy",
            RequestKind::Pay(_) => "pay",
        };
        if kind == RequestKind::Host || error.code == "unavailable" {
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
                    let detail = format!("key {} has two different orders in its replies", purchase.key);
                    return self.record_violation(viewer, ViolationKind::OrderDuplicated, detail, payload);
                }
                if matches!(before, PurchaseState::Held(_)) {
                    return;
                }
                let (room, offer, place, late) = (purchase.room, order.offer.clone(), order.place, purchase.intended);
                self.measurements.counters.units_held += order.qty as u64;
                purchase.outcome = PurchaseState::Held(order);
                self.measurements.record_latency(LatencyClass::Buy, now.saturating_sub(late));
                self.rooms[room as usize].record_purchase(&offer, place, now);
                if self.random.random_range(0..100) < self.payment_percent {
                    let think = self.random.random_range(1_000_000..3_000_000);
                    self.schedule(now + think, ScheduledAction::Pay(number));
                }
            }
            (None, None) => self.record_violation(
                viewer,
                ViolationKind::InvalidFrame,
                "a reply to a purchase has no order".to_owned(),
                payload,
            ),
            (Some(error), _) => {
                let unknown = matches!(&*error.code, "outcome_unknown" | "unavailable");
                let again = unknown || matches!(&*error.code, "busy" | "not_open");
                if matches!(before, PurchaseState::Held(_)) && !unknown && error.code != "busy" {
                    let detail = format!("a retry of key {} was refused, and its order is held", purchase.key);
                    return self.record_violation(viewer, ViolationKind::OrderDuplicated, detail, payload);
                }
                if again && purchase.attempts < PURCHASE_ATTEMPTS_MAX {
                    let wait_ms = error.retry_ms.unwrap_or(500);
                    self.record_refusal(RequestKind::Buy(number), error);
                    return self.schedule(now + wait_ms * 1_000, ScheduledAction::Buy(number));
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

    fn record_violation(&mut self, viewer: u32, kind: ViolationKind, detail: String, payload: &[u8]) {
        let one = &self.viewers[viewer as usize];
        let seq = one.state.position().map_or(0, |(_, seq)| seq);
        self.violations.record(Violation {
            kind,
            at_s: self.now() as f64 / 1e6,
            viewer: Some(viewer),
            room: self.rooms[one.room as usize].stream.clone(),
            seq,
            detail,
            excerpt: excerpt(payload, seq),
        });
    }
}

/// What receiving a shared frame needs besides the viewer and the room.
struct SharedFrameReceiver<'a> {
    measurements: &'a mut Measurements,
    violations: &'a mut ViolationLog,
}

impl SharedFrameReceiver<'_> {
    /// Returns true when the frame had something new for this viewer.
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
        let applied = viewer.state.apply(&shared.summary);
        let counters = &mut self.measurements.counters;
        counters.deliveries += u64::from(applied.events);
        counters.missed += applied.missed;
        counters.stale_values += u64::from(applied.stale_values);
        if let SharedFrameKind::Hello { recovered } = shared.summary.kind
            && viewer.is_returning
        {
            counters.recovered += u64::from(recovered);
        }
        counters.resynced += u64::from(applied.resynced);
        if applied.resynced || before == 0 {
            viewer.complete_since = now;
        }
        if let Some(kind) = applied.violation {
            let summary = &shared.summary;
            let events =
                summary.first.map_or("no events".to_owned(), |first| format!("{} events from {first}", summary.count));
            self.violations.record(Violation {
                kind,
                at_s: now as f64 / 1e6,
                viewer: Some(number),
                room: stream.to_owned(),
                seq: before,
                detail: format!("the next frame is {:?} with position {} and {events}", summary.kind, summary.seq),
                excerpt: excerpt(payload, before),
            });
        }
        // A slow reader, or one that is catching up, would measure its own delay.
        if !viewer.is_slow_reader && shared.summary.kind == SharedFrameKind::Tick {
            for sample in &shared.samples {
                self.measurements.record_latency(sample.class, now.saturating_sub(sample.since));
            }
        }
        applied.events > 0 || shared.summary.kind != SharedFrameKind::Tick
    }
}

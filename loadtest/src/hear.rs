//! What comes in on a viewer's link: the answer to the handshake, frames, and the end.

use crate::ask::{Answer, Outcome, What};
use crate::breaches::{Breaches, Found, around};
use crate::crowd::{Act, Crowd};
use crate::frame;
use crate::measure::{Class, Measure};
use crate::room::Shared;
use crate::truth::{Breach, Kind};
use crate::viewer::{Manner, Stage, Viewer};
use crate::wire::{Done, Error, Wire};
use rand::RngExt;

/// Full jitter without a word from the server: anywhere below a ceiling that doubles.
const RETRY_MIN_MS: u64 = 500;
const RETRY_MAX_MS: u64 = 20_000;
/// How often one press is sent, with one key.
const TRIES_MAX: u32 = 6;

impl Crowd {
    /// Takes what is whole and says how many bytes that was.
    pub(crate) fn take_in(&mut self, viewer: u32, bytes: &[u8], now: u64) -> usize {
        let at = viewer as usize;
        let mut used = 0;
        if self.viewers[at].stage == Stage::Upgrading {
            match self.handshake.answer(bytes) {
                None => return 0,
                Some(frame::Answer::Upgraded(head)) => {
                    used = head;
                    self.viewers[at].stage = Stage::Greeting;
                    self.measure.counters.upgrades += 1;
                    self.measure.latency(Class::Handshake, now.saturating_sub(self.viewers[at].due));
                    self.connected += 1;
                }
                Some(frame::Answer::Refused { status, retry_after_s }) => {
                    self.lost(viewer, &format!("HTTP {status}"), retry_after_s.map(|seconds| seconds * 1_000));
                    return bytes.len();
                }
                Some(frame::Answer::Strange(why)) => {
                    self.lost(viewer, why, None);
                    return bytes.len();
                }
            }
        }
        while self.viewers[at].socket.is_some() {
            match frame::scan(&bytes[used..], self.handshake.deflate) {
                Ok(None) => break,
                Ok(Some((frame, length))) => {
                    used += length;
                    self.frame(viewer, frame, now);
                }
                Err(why) => {
                    self.breach(viewer, Breach::BadFrame, why.to_owned(), &bytes[used..]);
                    self.lost(viewer, "a bad frame", None);
                }
            }
        }
        used
    }

    fn frame(&mut self, viewer: u32, frame: frame::Frame, now: u64) {
        let at = viewer as usize;
        match frame.opcode {
            frame::TEXT if frame.last => self.message(viewer, frame.payload, frame.deflated, now),
            frame::TEXT | 0 => {
                let one = &mut self.viewers[at];
                one.fragments.extend_from_slice(frame.payload);
                one.fragments_deflated |= frame.deflated;
                if frame.last {
                    let (whole, deflated) = (std::mem::take(&mut one.fragments), one.fragments_deflated);
                    one.fragments_deflated = false;
                    self.message(viewer, &whole, deflated, now);
                }
            }
            frame::PING => self.send_frame(viewer, frame::PONG, frame.payload),
            frame::PONG => {}
            frame::CLOSE => {
                let (code, retry_ms) = frame::closed(frame.payload);
                self.send_frame(viewer, frame::CLOSE, frame.payload);
                self.lost(viewer, &code.to_string(), retry_ms);
            }
            other => self.breach(viewer, Breach::BadFrame, format!("a frame with opcode {other}"), frame.payload),
        }
    }

    /// A whole message, as it came over the wire.
    fn message(&mut self, viewer: u32, bytes: &[u8], deflated: bool, now: u64) {
        let counters = &mut self.measure.counters;
        counters.frames += 1;
        counters.bytes += bytes.len() as u64;
        if !deflated {
            return self.hear(viewer, bytes, now);
        }
        match self.unpacked.read(bytes) {
            Ok(payload) => self.hear(viewer, &payload, now),
            Err(why) => self.breach(viewer, Breach::BadFrame, why.to_owned(), bytes),
        }
    }

    fn hear(&mut self, viewer: u32, payload: &[u8], now: u64) {
        let one = &mut self.viewers[viewer as usize];
        let room = &mut self.rooms[one.room as usize];
        let mut ears = Ears { measure: &mut self.measure, breaches: &mut self.breaches };
        if one.place.is_greeted() {
            if let Some(shared) = room.known(payload) {
                if ears.shared(viewer, one, shared, &room.stream, payload, now) {
                    self.heard_at = now;
                }
                return;
            }
        } else if let Some((shared, _)) = room.known_hello(payload) {
            ears.shared(viewer, one, shared, &room.stream, payload, now);
            // A `now` is always a little old when it arrives; the first readers of each hello have set the clock.
            return self.greeted(viewer, now);
        }
        let wire: Wire = match serde_json::from_slice(payload) {
            Ok(wire) => wire,
            Err(error) => return self.breach(viewer, Breach::BadFrame, format!("no JSON of ours: {error}"), payload),
        };
        match &*wire.t {
            "tick" | "snapshot" | "hello" => {
                self.heard_at = now;
                let epoch = one.place.position().map_or(0, |(epoch, _)| epoch);
                room.read(payload, &wire, epoch, &mut self.asks, now);
                let hello = wire.t == "hello";
                let shared = room.newest(hello);
                ears.shared(viewer, one, shared, &room.stream, payload, now);
                if hello {
                    if let Some(server) = wire.now {
                        let offset = server * 1_000 - now as i64;
                        self.server_clock = Some(self.server_clock.map_or(offset, |known| known.max(offset)));
                    }
                    self.greeted(viewer, now);
                }
            }
            "reply" => self.answered(viewer, &wire, payload, now),
            "order" | "held" | "action" => {}
            "moving" => {
                let within = wire.retry_ms.unwrap_or(0);
                let wait = self.random.random_range(0..=within);
                self.lost(viewer, "moving", Some(wait));
            }
            other => self.breach(viewer, Breach::BadFrame, format!("a frame of kind {other:?}"), payload),
        }
    }

    /// Hello has been said.
    fn greeted(&mut self, viewer: u32, now: u64) {
        let one = &mut self.viewers[viewer as usize];
        one.stage = Stage::Live;
        one.attempt = 0;
        self.measure.latency(Class::Join, now.saturating_sub(one.due));
        if std::mem::take(&mut one.returns) {
            self.measure.counters.returns += 1;
        }
        if let Manner::Trickles(_) = one.manner {
            self.at(now, Act::Trickle(viewer));
        }
        for purchase in std::mem::take(&mut self.viewers[viewer as usize].unsettled) {
            self.at(now, Act::Buy(purchase));
        }
    }

    /// The link is gone. The server may have said after how long to come back, or by its code not to.
    pub(crate) fn lost(&mut self, viewer: u32, why: &str, retry_ms: Option<u64>) {
        let one = &mut self.viewers[viewer as usize];
        if one.is_connected() {
            self.one_less();
        }
        let one = &mut self.viewers[viewer as usize];
        let handshake = matches!(one.stage, Stage::Connecting | Stage::Upgrading);
        one.forget_link();
        self.measure.counters.drops += 1;
        *self.measure.closes.entry(why.to_owned()).or_default() += 1;
        if handshake {
            self.measure.error(format!("handshake: {why}"));
        }
        self.abandon(viewer);
        let for_good = why.parse::<u16>().is_ok_and(|code| (4500..5000).contains(&code)) || why == "HTTP 404";
        let one = &mut self.viewers[viewer as usize];
        if for_good {
            one.stage = Stage::Left;
            one.returns = false;
            return self.measure.error(format!("sent away: {why}"));
        }
        let ceiling = (RETRY_MIN_MS << one.attempt.min(10)).min(RETRY_MAX_MS);
        one.attempt += 1;
        one.returns = true;
        let wait_ms = retry_ms.unwrap_or_else(|| self.random.random_range(0..=ceiling));
        let due = self.now() + wait_ms * 1_000;
        self.at(due, Act::Arrive(viewer));
    }

    /// What was asked on a link that is gone has no answer; purchases are asked again on the next one.
    pub(crate) fn abandon(&mut self, viewer: u32) {
        for ask in self.unanswered(viewer) {
            self.asks.all[ask].answer = Answer::Lost;
            if let What::Buy(purchase) = self.asks.all[ask].what {
                self.asks.purchases[purchase].doubt();
                self.viewers[viewer as usize].unsettled.push(purchase);
            }
        }
    }

    fn answered(&mut self, viewer: u32, wire: &Wire, payload: &[u8], now: u64) {
        let one = &mut self.viewers[viewer as usize];
        let ask = wire.reference.as_deref().and_then(|reference| reference.parse::<usize>().ok());
        let place = ask.and_then(|ask| one.waiting.iter().position(|waiting| *waiting == ask));
        let (Some(id), Some(place)) = (ask, place) else {
            return self.breach(viewer, Breach::BadFrame, "an answer to nothing that was asked".to_owned(), payload);
        };
        one.waiting.swap_remove(place);
        let ask = &mut self.asks.all[id];
        ask.answer = if wire.error.is_none() { Answer::Done } else { Answer::Refused };
        let (what, late) = (ask.what, now.saturating_sub(ask.intended));
        match (what, &wire.error) {
            (What::Buy(purchase), _) => return self.sold(viewer, purchase, wire, payload, now),
            (What::Say, None) => self.measure.counters.messages_acknowledged += 1,
            (What::Say, Some(_)) => self.measure.counters.messages_refused += 1,
            (What::Pay(_), None) => self.measure.counters.paid += 1,
            _ => {}
        }
        match &wire.error {
            None if matches!(what, What::Say | What::React) => self.measure.latency(Class::Reply, late),
            None => {}
            Some(error) => self.refused(what, error),
        }
    }

    fn refused(&mut self, what: What, error: &Error) {
        let name = match what {
            What::Say => "say",
            What::React => "react",
            What::Run => "host",
            What::Buy(_) => "buy",
            What::Pay(_) => "pay",
        };
        if what == What::Run || error.code == "unavailable" {
            self.measure.error(format!("{name}: {}", error.code));
        }
        *self.measure.refusals.entry(format!("{name}: {}", error.code)).or_default() += 1;
    }

    fn sold(&mut self, viewer: u32, number: usize, wire: &Wire, payload: &[u8], now: u64) {
        let done: Done = wire.ok.and_then(|ok| serde_json::from_str(ok.get()).ok()).unwrap_or_default();
        let purchase = &mut self.asks.purchases[number];
        let before = &purchase.outcome;
        match (&wire.error, done.order) {
            (None, Some(order)) => {
                let differs =
                    matches!(before, Outcome::Held(known) if (&known.id, known.place) != (&order.id, order.place));
                if differs {
                    let what = format!("key {} was answered with another order before", purchase.key);
                    return self.breach(viewer, Breach::OrderTwice, what, payload);
                }
                if matches!(before, Outcome::Held(_)) {
                    return;
                }
                let (room, offer, place, late) = (purchase.room, order.offer.clone(), order.place, purchase.intended);
                self.measure.counters.held += order.qty as u64;
                purchase.outcome = Outcome::Held(order);
                self.measure.latency(Class::Buy, now.saturating_sub(late));
                self.rooms[room as usize].answered(&offer, place, now);
                if self.random.random_range(0..100) < self.pays_percent {
                    let think = self.random.random_range(1_000_000..3_000_000);
                    self.at(now + think, Act::Pay(number));
                }
            }
            (None, None) => self.breach(viewer, Breach::BadFrame, "a purchase without an order".to_owned(), payload),
            (Some(error), _) => {
                let unknown = matches!(&*error.code, "outcome_unknown" | "unavailable");
                let again = unknown || matches!(&*error.code, "busy" | "not_open");
                if matches!(before, Outcome::Held(_)) && !unknown && error.code != "busy" {
                    let what = format!("key {} is held, and a retry was refused", purchase.key);
                    return self.breach(viewer, Breach::OrderTwice, what, payload);
                }
                if again && purchase.tries < TRIES_MAX {
                    let wait_ms = error.retry_ms.unwrap_or(500);
                    self.refused(What::Buy(number), error);
                    return self.at(now + wait_ms * 1_000, Act::Buy(number));
                }
                let late = now.saturating_sub(purchase.intended);
                let first = !matches!(before, Outcome::Refused(_));
                if !unknown && !matches!(before, Outcome::Held(_)) {
                    purchase.outcome = Outcome::Refused(error.code.to_string());
                }
                if first {
                    self.measure.counters.refused += 1;
                    self.measure.latency(Class::Buy, late);
                }
                self.refused(What::Buy(number), error);
            }
        }
    }

    fn breach(&mut self, viewer: u32, breach: Breach, what: String, payload: &[u8]) {
        let one = &self.viewers[viewer as usize];
        let seq = one.place.position().map_or(0, |(_, seq)| seq);
        self.breaches.add(Found {
            breach,
            at_s: self.now() as f64 / 1e6,
            viewer: Some(viewer),
            room: self.rooms[one.room as usize].stream.clone(),
            seq,
            what,
            bytes: around(payload, seq),
        });
    }
}

/// What hearing a shared frame needs besides the viewer and the room.
struct Ears<'a> {
    measure: &'a mut Measure,
    breaches: &'a mut Breaches,
}

impl Ears<'_> {
    /// `true` when there was something new for this viewer.
    fn shared(
        &mut self,
        number: u32,
        viewer: &mut Viewer,
        shared: &Shared,
        stream: &str,
        payload: &[u8],
        now: u64,
    ) -> bool {
        let before = viewer.place.position().map_or(0, |(_, seq)| seq);
        let heard = viewer.place.hear(&shared.told);
        let counters = &mut self.measure.counters;
        counters.deliveries += u64::from(heard.events);
        counters.missed += heard.missed;
        counters.stale += u64::from(heard.stale);
        if let Kind::Hello { recovered } = shared.told.kind
            && viewer.returns
        {
            counters.recovered += u64::from(recovered);
        }
        counters.fresh += u64::from(heard.fresh);
        if heard.fresh || before == 0 {
            viewer.whole_since = now;
        }
        if let Some(breach) = heard.breach {
            let told = &shared.told;
            let events =
                told.first.map_or("no events".to_owned(), |first| format!("{} events from {first}", told.count));
            self.breaches.add(Found {
                breach,
                at_s: now as f64 / 1e6,
                viewer: Some(number),
                room: stream.to_owned(),
                seq: before,
                what: format!("then came {:?} to {} with {events}", told.kind, told.seq),
                bytes: around(payload, before),
            });
        }
        // Who reads badly, or catches up, would measure themselves.
        if !viewer.late_by_itself && shared.told.kind == Kind::Tick {
            for mark in &shared.marks {
                self.measure.latency(mark.class, now.saturating_sub(mark.since));
            }
        }
        heard.events > 0 || shared.told.kind != Kind::Tick
    }
}

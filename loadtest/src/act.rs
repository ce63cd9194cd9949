//! What the crowd does: come, go, talk, press, pay, run the show.

use std::fmt::Write as _;

use rand::RngExt;

use crate::ask::{Outcome, What};
use crate::crowd::{Act, Crowd, Verb};
use crate::frame;
use crate::viewer::{Manner, Stage};

/// How often one who reads a trickle reads.
const TRICKLE: u64 = 200_000;
/// Senders looked at for one message; when all of these are away it is not said.
const SENDERS_TRIED: usize = 16;

const TALK: [&str; 16] = [
    "Is the blue one still there?",
    "Hello from Jeddah",
    "How big is it really?",
    "Can you show the back please",
    "Bought the last one, love it",
    "What does shipping to Bandung cost?",
    "Wow",
    "Does it come in green?",
    "ممكن تورينا اللون الثاني؟",
    "كم السعر بعد الخصم؟",
    "Ukurannya ada yang besar?",
    "Kapan flash sale mulai kak?",
    "My sister has this one",
    "Is it dishwasher safe?",
    "Gift box available?",
    "Take my money",
];

impl Crowd {
    pub(crate) fn act(&mut self, due: u64, act: Act) {
        match act {
            Act::Arrive(viewer) => self.arrives(viewer, due),
            Act::Leave(viewer) => self.leave(viewer),
            Act::Lose(viewer) => self.loses(viewer, due),
            Act::Say(flow) => self.says(flow, due),
            Act::React(viewer) => self.reacts(viewer, due),
            Act::Buy(purchase) => self.buys(purchase, due),
            Act::Pay(purchase) => self.pays(purchase, due),
            Act::Run(viewer, verb) => self.runs(viewer, &verb, due),
            Act::Trickle(viewer) => {
                if let Manner::Trickles(bytes) = self.viewers[viewer as usize].manner
                    && self.viewers[viewer as usize].stage == Stage::Live
                {
                    self.trickle(viewer, bytes);
                    self.at(due + TRICKLE, Act::Trickle(viewer));
                }
            }
        }
    }

    fn arrives(&mut self, viewer: u32, due: u64) {
        let source = self.source(viewer);
        let target = self.target.address;
        let one = &mut self.viewers[viewer as usize];
        if one.stage != Stage::Away {
            return;
        }
        one.due = due;
        self.measure.counters.connects += 1;
        match one.connect(target, source).map(drop) {
            Ok(()) => self.register(viewer),
            Err(error) => {
                let ports = error.kind() == std::io::ErrorKind::AddrNotAvailable;
                let why = if ports { "no free port left; give more --sources".to_owned() } else { error.to_string() };
                self.lost(viewer, &why, None);
            }
        }
    }

    pub(crate) fn writable(&mut self, viewer: u32) {
        let one = &mut self.viewers[viewer as usize];
        let Some(socket) = &one.socket else { return };
        if one.stage != Stage::Connecting {
            if let Err(error) = one.flush() {
                self.lost(viewer, &format!("{:?}", error.kind()), None);
            }
            return;
        }
        if let Ok(Some(error)) | Err(error) = socket.take_error() {
            return self.lost(viewer, &format!("{:?}", error.kind()), None);
        }
        // An event of an earlier socket may come late: this one is not there yet.
        if socket.peer_addr().is_err() {
            return;
        }
        one.stage = Stage::Upgrading;
        let room = &self.rooms[one.room as usize];
        let mut path = format!("/v1/streams/{}/live?session={:016x}", room.stream, one.session);
        if let Some((epoch, seq)) = one.place.position() {
            let epoch: String = url::form_urlencoded::byte_serialize(room.epoch_name(epoch).as_bytes()).collect();
            let _ = write!(path, "&epoch={epoch}&seq={seq}");
        }
        if let Some(token) = &one.token {
            let _ = write!(path, "&token={token}");
        }
        let request = self.handshake.request(&self.target.host, &path);
        if let Err(error) = one.send(request.as_bytes()) {
            self.lost(viewer, &format!("{:?}", error.kind()), None);
        }
    }

    pub(crate) fn leave(&mut self, viewer: u32) {
        if self.viewers[viewer as usize].is_connected() {
            self.one_less();
            self.send_frame(viewer, frame::CLOSE, &1_000_u16.to_be_bytes());
        }
        self.abandon(viewer);
        let one = &mut self.viewers[viewer as usize];
        one.forget_link();
        one.returns = false;
        one.stage = Stage::Left;
    }

    fn loses(&mut self, viewer: u32, due: u64) {
        let one = &mut self.viewers[viewer as usize];
        if one.stage == Stage::Away || one.stage == Stage::Left {
            return;
        }
        if one.is_connected() {
            self.one_less();
        }
        let one = &mut self.viewers[viewer as usize];
        one.cut();
        one.returns = true;
        one.attempt = 1;
        self.abandon(viewer);
        // As clients do when nobody told them anything: anywhere within the first half second.
        let wait = self.random.random_range(0..500_000);
        self.at(due + wait, Act::Arrive(viewer));
    }

    pub(crate) fn send_frame(&mut self, viewer: u32, opcode: u8, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(payload.len() + 14);
        frame::write(&mut bytes, opcode, payload, &mut self.random);
        // A link that fails here is found dead by its next read.
        let _ = self.viewers[viewer as usize].send(&bytes);
    }

    /// Sends a verb, unless the viewer is not there; says whether it was sent.
    fn ask(&mut self, what: What, viewer: u32, intended: u64, verb: impl FnOnce(&Crowd, usize) -> String) -> bool {
        let one = &self.viewers[viewer as usize];
        if one.stage != Stage::Live {
            return false;
        }
        let ask = self.asks.add(what, viewer, one.room, intended);
        let body = verb(self, ask);
        self.viewers[viewer as usize].waiting.push(ask);
        self.send_frame(viewer, frame::TEXT, format!(r#"{{"ref":"{ask}",{body}}}"#).as_bytes());
        true
    }

    fn says(&mut self, number: usize, due: u64) {
        let flow = &mut self.flows[number];
        flow.said += 1;
        let next = flow.from + (flow.said as f64 * 1e6 / flow.rate) as u64;
        if next < flow.until {
            self.at(next, Act::Say(number));
        }
        self.measure.counters.messages_due += 1;
        let flow = &self.flows[number];
        let (room_of_senders, length, said) = (flow.senders.len(), flow.length, flow.said as usize);
        let live = |place: &usize| {
            let sender = flow.senders[(said + place) % room_of_senders];
            self.viewers[sender as usize].stage == Stage::Live
        };
        let Some(place) = (0..SENDERS_TRIED.min(room_of_senders)).find(live) else {
            return self.measure.error("a message was due and no sender was there");
        };
        let sender = flow.senders[(said + place) % room_of_senders];
        let words = TALK[self.random.random_range(0..TALK.len())];
        let sent = self.ask(What::Say, sender, due, |crowd, ask| {
            let marker = crowd.asks.marker(ask);
            let mut text = words.to_owned();
            let have = text.chars().count() + marker.len() + 1;
            text.extend(" bagus".chars().cycle().take(length.saturating_sub(have)));
            format!(r#""do":"say","text":"{text} {marker}""#)
        });
        self.measure.counters.messages_sent += u64::from(sent);
    }

    fn reacts(&mut self, viewer: u32, due: u64) {
        let count = self.random.random_range(1..=5);
        let heart = format!(r#""do":"react","kind":"heart","count":{count}"#);
        if self.ask(What::React, viewer, due, |_, _| heart) {
            self.measure.counters.hearts += 1;
        }
    }

    fn buys(&mut self, number: usize, due: u64) {
        let purchase = &mut self.asks.purchases[number];
        purchase.tries += 1;
        let (viewer, first) = (purchase.viewer, purchase.tries == 1);
        let intended = purchase.intended;
        let body = format!(r#""do":"buy","offer":"{}","qty":1,"key":"{}""#, purchase.offer, purchase.key);
        if first {
            self.measure.counters.presses += 1;
        }
        let sent = self.ask(What::Buy(number), viewer, if first { intended } else { due }, |_, _| body);
        if !sent {
            // Away: pressed again as soon as there is a link.
            self.viewers[viewer as usize].unsettled.push(number);
        }
    }

    fn pays(&mut self, number: usize, due: u64) {
        let purchase = &self.asks.purchases[number];
        let Outcome::Held(order) = &purchase.outcome else { return };
        let body = format!(r#""do":"pay","order":"{}","token":"ok","key":"pay-{}""#, order.id, purchase.key);
        self.ask(What::Pay(number), purchase.viewer, due, |_, _| body);
    }

    fn runs(&mut self, host: u32, verb: &Verb, due: u64) {
        let (name, offer, event) = match verb {
            Verb::Pin(offer) => ("pin", offer, "pinned"),
            Verb::Open(offer) => ("open", offer, ""),
            Verb::Close(offer) => ("close", offer, "sale_closed"),
        };
        if !event.is_empty() {
            self.asks.expect(event, offer, due);
        }
        let body = format!(r#""do":"{name}","offer":"{offer}""#);
        if !self.ask(What::Run, host, due, |_, _| body) {
            self.measure.error(format!("host: away when it was time to {name}"));
        }
    }
}

//! What the simulated viewers do: connect, leave, chat, buy and pay. The host's commands are here too.

use std::fmt::Write as _;

use rand::RngExt;

use crate::frame;
use crate::requests::{PurchaseState, RequestKind};
use crate::simulation::{HostCommand, ScheduledAction, Simulation};
use crate::viewer::{ConnectionStage, ReadBehavior};

/// How often a slow reader reads.
const SLOW_READ_INTERVAL_US: u64 = 200_000;
/// How many senders are tried for one message. When all of these are disconnected, the message is not sent.
const SENDERS_TRIED: usize = 16;

const CHAT_TEXTS: [&str; 16] = [
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

impl Simulation {
    pub(crate) fn perform(&mut self, due: u64, act: ScheduledAction) {
        match act {
            ScheduledAction::Connect(viewer) => self.connect_viewer(viewer, due),
            ScheduledAction::Leave(viewer) => self.disconnect(viewer),
            ScheduledAction::DropConnection(viewer) => self.drop_connection(viewer, due),
            ScheduledAction::Say(flow) => self.send_chat(flow, due),
            ScheduledAction::React(viewer) => self.send_reaction(viewer, due),
            ScheduledAction::Buy(purchase) => self.send_purchase(purchase, due),
            ScheduledAction::Pay(purchase) => self.send_payment(purchase, due),
            ScheduledAction::Host(viewer, verb) => self.send_host_command(viewer, &verb, due),
            ScheduledAction::ReadSlowly(viewer) => {
                if let ReadBehavior::Slow(bytes) = self.viewers[viewer as usize].read_behavior
                    && self.viewers[viewer as usize].stage == ConnectionStage::Live
                {
                    self.read_limited(viewer, bytes);
                    self.schedule(due + SLOW_READ_INTERVAL_US, ScheduledAction::ReadSlowly(viewer));
                }
            }
        }
    }

    fn connect_viewer(&mut self, viewer: u32, due: u64) {
        let source = self.source_address(viewer);
        let target = self.target.address;
        let one = &mut self.viewers[viewer as usize];
        if one.stage != ConnectionStage::Disconnected {
            return;
        }
        one.connect_due = due;
        self.measurements.counters.connects += 1;
        match one.connect(target, source).map(drop) {
            Ok(()) => self.register(viewer),
            Err(error) => {
                let ports = error.kind() == std::io::ErrorKind::AddrNotAvailable;
                let why =
                    if ports { "no free port is left; give more --sources".to_owned() } else { error.to_string() };
                self.on_disconnect(viewer, &why, None);
            }
        }
    }

    pub(crate) fn on_writable(&mut self, viewer: u32) {
        let one = &mut self.viewers[viewer as usize];
        let Some(socket) = &one.socket else { return };
        if one.stage != ConnectionStage::Connecting {
            if let Err(error) = one.flush() {
                self.on_disconnect(viewer, &format!("{:?}", error.kind()), None);
            }
            return;
        }
        if let Ok(Some(error)) | Err(error) = socket.take_error() {
            return self.on_disconnect(viewer, &format!("{:?}", error.kind()), None);
        }
        // A late event of an earlier socket: this socket is not connected yet.
        if socket.peer_addr().is_err() {
            return;
        }
        one.stage = ConnectionStage::Upgrading;
        let room = &self.rooms[one.room as usize];
        let mut path = format!("/v1/streams/{}/live?session={:016x}", room.stream, one.session);
        if let Some((epoch, seq)) = one.state.position() {
            let epoch: String = url::form_urlencoded::byte_serialize(room.epoch_name(epoch).as_bytes()).collect();
            let _ = write!(path, "&epoch={epoch}&seq={seq}");
        }
        if let Some(token) = &one.token {
            let _ = write!(path, "&token={token}");
        }
        if let Some(ticket) = &one.ticket {
            let _ = write!(path, "&ticket={ticket}");
        }
        let request = self.handshake.request(&self.target.host, &path);
        if let Err(error) = one.send(request.as_bytes()) {
            self.on_disconnect(viewer, &format!("{:?}", error.kind()), None);
        }
    }

    pub(crate) fn disconnect(&mut self, viewer: u32) {
        if self.viewers[viewer as usize].is_connected() {
            self.count_disconnect();
            self.send_frame(viewer, frame::CLOSE, &1_000_u16.to_be_bytes());
        }
        self.fail_pending_requests(viewer);
        let one = &mut self.viewers[viewer as usize];
        one.close();
        one.is_returning = false;
        one.stage = ConnectionStage::Left;
    }

    fn drop_connection(&mut self, viewer: u32, due: u64) {
        let one = &mut self.viewers[viewer as usize];
        if one.stage == ConnectionStage::Disconnected || one.stage == ConnectionStage::Left {
            return;
        }
        if one.is_connected() {
            self.count_disconnect();
        }
        let one = &mut self.viewers[viewer as usize];
        one.reset();
        one.is_returning = true;
        one.attempts = 1;
        self.fail_pending_requests(viewer);
        // Clients that were told nothing reconnect at a random moment within the first half second.
        let wait = self.random.random_range(0..500_000);
        self.schedule(due + wait, ScheduledAction::Connect(viewer));
    }

    pub(crate) fn send_frame(&mut self, viewer: u32, opcode: u8, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(payload.len() + 14);
        frame::write_frame(&mut bytes, opcode, payload, &mut self.random);
        // The next read finds out when the connection is broken.
        let _ = self.viewers[viewer as usize].send(&bytes);
    }

    /// Sends a verb if the viewer is live, and returns whether it was sent.
    fn send_request(
        &mut self,
        kind: RequestKind,
        viewer: u32,
        intended: u64,
        verb: impl FnOnce(&Simulation, usize) -> String,
    ) -> bool {
        let one = &self.viewers[viewer as usize];
        if one.stage != ConnectionStage::Live {
            return false;
        }
        let request = self.requests.add(kind, viewer, one.room, intended);
        let body = verb(self, request);
        self.viewers[viewer as usize].pending_requests.push(request);
        self.send_frame(viewer, frame::TEXT, format!(r#"{{"ref":"{request}",{body}}}"#).as_bytes());
        true
    }

    fn send_chat(&mut self, number: usize, due: u64) {
        let flow = &mut self.chat_loads[number];
        flow.sent += 1;
        let next = flow.from + (flow.sent as f64 * 1e6 / flow.rate) as u64;
        if next < flow.until {
            self.schedule(next, ScheduledAction::Say(number));
        }
        self.measurements.counters.messages_due += 1;
        let flow = &self.chat_loads[number];
        let (sender_count, length, index) = (flow.senders.len(), flow.length, flow.sent as usize);
        let live = |place: &usize| {
            let sender = flow.senders[(index + place) % sender_count];
            self.viewers[sender as usize].stage == ConnectionStage::Live
        };
        let Some(place) = (0..SENDERS_TRIED.min(sender_count)).find(live) else {
            return self.measurements.record_error("a message was due and no sender was connected");
        };
        let sender = flow.senders[(index + place) % sender_count];
        let phrase = CHAT_TEXTS[self.random.random_range(0..CHAT_TEXTS.len())];
        let sent = self.send_request(RequestKind::Say, sender, due, |simulation, request| {
            let marker = simulation.requests.marker(request);
            let mut text = phrase.to_owned();
            let chars = text.chars().count() + marker.len() + 1;
            text.extend(" bagus".chars().cycle().take(length.saturating_sub(chars)));
            format!(r#""do":"say","text":"{text} {marker}""#)
        });
        self.measurements.counters.messages_sent += u64::from(sent);
    }

    fn send_reaction(&mut self, viewer: u32, due: u64) {
        let count = self.random.random_range(1..=5);
        let reaction = format!(r#""do":"react","kind":"heart","count":{count}"#);
        if self.send_request(RequestKind::React, viewer, due, |_, _| reaction) {
            self.measurements.counters.reactions += 1;
        }
    }

    fn send_purchase(&mut self, number: usize, due: u64) {
        let purchase = &mut self.requests.purchases[number];
        purchase.attempts += 1;
        let (viewer, first) = (purchase.viewer, purchase.attempts == 1);
        let intended = purchase.intended;
        let body = format!(r#""do":"buy","offer":"{}","qty":1,"key":"{}""#, purchase.offer, purchase.key);
        if first {
            self.measurements.counters.purchases += 1;
        }
        let sent = self.send_request(RequestKind::Buy(number), viewer, if first { intended } else { due }, |_, _| body);
        if !sent {
            // The viewer is not connected: the purchase is sent as soon as there is a connection.
            self.viewers[viewer as usize].unsettled_purchases.push(number);
        }
    }

    fn send_payment(&mut self, number: usize, due: u64) {
        let purchase = &self.requests.purchases[number];
        let PurchaseState::Held(order) = &purchase.outcome else { return };
        let body = format!(r#""do":"pay","order":"{}","token":"ok","key":"pay-{}""#, order.id, purchase.key);
        self.send_request(RequestKind::Pay(number), purchase.viewer, due, |_, _| body);
    }

    fn send_host_command(&mut self, host: u32, verb: &HostCommand, due: u64) {
        let (name, offer, event) = match verb {
            HostCommand::Pin(offer) => ("pin", offer, "pinned"),
            HostCommand::Open(offer) => ("open", offer, ""),
            HostCommand::Close(offer) => ("close", offer, "sale_closed"),
        };
        if !event.is_empty() {
            self.requests.expect_event(event, offer, due);
        }
        let body = format!(r#""do":"{name}","offer":"{offer}""#);
        if !self.send_request(RequestKind::Host, host, due, |_, _| body) {
            self.measurements.record_error(format!("host: not connected when {name} was due"));
        }
    }
}

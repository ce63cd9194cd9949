//! A client of the live socket that checks the server while a test uses it.
//!
//! It checks the continuity of every frame when it arrives, and that no version of an offer goes backwards; a violation panics.
//! Frames that arrive before an awaited reply are kept, and `next` returns them afterwards, in order.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

pub use client::JoinOptions;
use client::{ClientPosition, ConnectionEnd, LiveConnection};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::SOON;

#[derive(Debug)]
pub struct Live {
    connection: LiveConnection,
    pub hello: Value,
    /// The position after the last frame that arrived, even if the test has not read the frame yet.
    pub position: ClientPosition,
    /// The state of the room, merged from all frames that arrived.
    pub state: Value,
    waiting: VecDeque<Value>,
    counts: HashMap<String, (u64, u64)>,
    references: u64,
}

/// Why a connection ended: the close code and the `reason` as text; the code is 1006 when the connection broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    pub code: u16,
    pub reason: String,
}

impl Live {
    /// Joins with this token, or as an anonymous user.
    pub async fn connect(base: &str, stream: &str, token: Option<&str>) -> Live {
        let join = JoinOptions { token: token.map(str::to_owned), ..JoinOptions::default() };
        Live::join(base, stream, join).await.unwrap_or_else(|closed| panic!("the connection was refused: {closed:?}"))
    }

    /// `base` is the address of the server or of a proxy before it: `http://127.0.0.1:8080`. It is an error when the server
    /// closes the connection directly after the upgrade or refuses the upgrade; then `code` is the HTTP status.
    pub async fn join(base: &str, stream: &str, join: JoinOptions) -> Result<Live, Closed> {
        let joined = LiveConnection::join(base, stream, &join, SOON).await;
        let (connection, hello) = joined.map_err(|end| Closed::from_end(end, "hello"))?;
        let position = connection.position().clone();
        let state = hello["state"].clone();
        let mut live = Live {
            connection,
            hello,
            position,
            state,
            waiting: VecDeque::new(),
            counts: HashMap::new(),
            references: 0,
        };
        live.check_counts(&live.state.clone());
        Ok(live)
    }

    /// The next frame that the test has not read. Panics when none arrives within the deadline or the connection ends.
    pub async fn next(&mut self, deadline: Duration) -> Value {
        match self.waiting.pop_front() {
            Some(frame) => frame,
            None => self.receive(Instant::now() + deadline, "frame").await,
        }
    }

    /// Reads frames until `wanted` is true for one, and returns it.
    pub async fn until(&mut self, what: &str, deadline: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + deadline;
        loop {
            let frame = match self.waiting.pop_front() {
                Some(frame) => frame,
                None => self.receive(deadline, what).await,
            };
            if wanted(&frame) {
                return frame;
            }
        }
    }

    /// Reads frames until `wanted` is true for an event, and returns the event.
    pub async fn event(&mut self, what: &str, deadline: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let find = |frame: &Value| frame["events"].as_array()?.iter().find(|event| wanted(event)).cloned();
        let frame = self.until(what, deadline, |frame| find(frame).is_some()).await;
        find(&frame).expect("the frame contains the event")
    }

    /// Reads frames until `wanted` is true for the state; returns immediately if it already is.
    pub async fn until_state(&mut self, what: &str, deadline: Duration, wanted: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + deadline;
        while !wanted(&self.state) {
            let frame = self.receive(deadline, what).await;
            self.waiting.push_back(frame);
        }
    }

    /// Sends a verb, `{"do":"say","text":"hi"}`, with a reference of its own and waits for its reply: `ok` or `error`.
    pub async fn ask(&mut self, mut verb: Value) -> Result<Value, Value> {
        self.references += 1;
        let reference = self.references.to_string();
        verb["ref"] = json!(reference);
        self.send(Message::text(verb.to_string())).await;
        let deadline = Instant::now() + SOON;
        loop {
            let frame = self.receive(deadline, &format!("reply to {verb}")).await;
            if frame["t"] != "reply" || frame["ref"] != reference.as_str() {
                self.waiting.push_back(frame);
            } else if frame["error"].is_object() {
                return Err(frame["error"].clone());
            } else {
                assert!(!frame["ok"].is_null(), "a reply has ok or error: {frame}");
                return Ok(frame["ok"].clone());
            }
        }
    }

    /// Sends a verb and returns the code of its refusal; panics when the verb succeeds.
    pub async fn refused(&mut self, verb: Value) -> String {
        let error = self.ask(verb.clone()).await.expect_err(&verb.to_string());
        error["code"].as_str().unwrap_or_else(|| panic!("no code in {error}")).to_owned()
    }

    /// Sends any message, including an invalid one.
    pub async fn send(&mut self, message: Message) {
        self.connection.send_message(message).await.expect("the connection is open");
    }

    /// Waits for the end of the connection; frames before it are checked and dropped.
    pub async fn closed(&mut self, deadline: Duration) -> Closed {
        let deadline = Instant::now() + deadline;
        loop {
            match self.read(deadline, "end of the connection").await {
                Ok(frame) => self.check(&frame),
                Err(closed) => return closed,
            }
        }
    }

    /// Closes the connection with a close frame.
    pub async fn leave(self) {
        self.connection.close().await;
    }

    async fn receive(&mut self, deadline: Instant, what: &str) -> Value {
        let frame = self.read(deadline, what).await;
        let frame = frame.unwrap_or_else(|closed| panic!("no {what}, the connection ended: {closed:?}"));
        self.check(&frame);
        frame
    }

    async fn read(&mut self, deadline: Instant, what: &str) -> Result<Value, Closed> {
        let limit = deadline.saturating_duration_since(Instant::now());
        self.connection.next_within(limit).await.map_err(|end| Closed::from_end(end, what))
    }

    fn check(&mut self, frame: &Value) {
        self.position = self.connection.position().clone();
        self.check_counts(&frame["state"]);
        match frame["t"].as_str() {
            Some("snapshot") => self.state = frame["state"].clone(),
            Some("tick") => merge(&mut self.state, &frame["state"]),
            _ => {}
        }
    }

    /// No viewer may receive an older version of an offer after a newer one.
    fn check_counts(&mut self, state: &Value) {
        for (id, offer) in state["offers"].as_object().into_iter().flatten() {
            let part = |at: usize| offer["v"][at].as_u64().unwrap_or_else(|| panic!("no v in {offer}"));
            let version = (part(0), part(1));
            let newest = self.counts.entry(id.clone()).or_insert(version);
            assert!(version >= *newest, "offer {id} went back from {newest:?} to {version:?}: {offer:#}");
            *newest = version;
        }
    }
}

/// A tick has only the changed keys of the state, and only the changed offers in `offers`.
fn merge(state: &mut Value, changed: &Value) {
    for (key, value) in changed.as_object().into_iter().flatten() {
        match value.as_object().filter(|_| key == "offers") {
            Some(offers) => offers.iter().for_each(|(id, offer)| state["offers"][id] = offer.clone()),
            None => state[key] = value.clone(),
        }
    }
}

impl Closed {
    /// Panics when nothing arrived within the deadline or when the server violated the protocol, because then the test has failed.
    fn from_end(end: ConnectionEnd, what: &str) -> Closed {
        match end {
            ConnectionEnd::Refused { status, body } => Closed { code: status, reason: body },
            ConnectionEnd::Closed { code, reason } => Closed { code, reason },
            ConnectionEnd::Broken(reason) => Closed { code: 1006, reason },
            ConnectionEnd::TimedOut(_) => panic!("no {what} in time"),
            ConnectionEnd::ProtocolViolation(violation) => panic!("{violation}"),
        }
    }
}

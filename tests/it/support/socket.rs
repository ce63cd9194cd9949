//! A viewer with eyes open: a client of the live socket that holds the server to its promises while a test uses it.
//!
//! Every frame is checked for continuity as it arrives and every offer for counts that go back; a breach panics with
//! the frame. Frames that arrive while a reply is awaited are kept and handed out by `next` afterwards, in order.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::SOON;
use super::position::Position;

/// How to join. `Join::default()` watches, from the head.
#[derive(Debug, Clone, Default)]
pub struct Join {
    pub token: Option<String>,
    pub position: Option<Position>,
    pub session: Option<String>,
}

#[derive(Debug)]
pub struct Live {
    socket: WebSocketStream<TcpStream>,
    pub hello: Value,
    /// After the last frame that arrived, seen by the test or not.
    pub position: Position,
    /// The state lane, put together from all frames that arrived.
    pub state: Value,
    waiting: VecDeque<Value>,
    counts: HashMap<String, (u64, u64)>,
    references: u64,
}

/// Why a connection ended: the close code and the `reason` as text; 1006 when it just broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    pub code: u16,
    pub reason: String,
}

impl Live {
    /// Joins as `token` says, or as somebody who watches.
    pub async fn connect(base: &str, stream: &str, token: Option<&str>) -> Live {
        let join = Join { token: token.map(str::to_owned), ..Join::default() };
        Live::join(base, stream, join).await.unwrap_or_else(|closed| panic!("not let in: {closed:?}"))
    }

    /// `base` is the server or a proxy before it, `http://127.0.0.1:8080`. A server that upgrades and closes at once,
    /// or says no before the upgrade (then `code` is the HTTP status), is the error.
    pub async fn join(base: &str, stream: &str, join: Join) -> Result<Live, Closed> {
        let host = base.trim_start_matches("http://").trim_end_matches('/');
        let mut query = Vec::new();
        query.extend(join.token.iter().map(|token| format!("token={token}")));
        query.extend(join.position.iter().map(|at| format!("epoch={}&seq={}", at.epoch, at.seq)));
        query.extend(join.session.iter().map(|session| format!("session={session}")));
        let url = format!("ws://{host}/v1/streams/{stream}/live?{}", query.join("&"));
        let opening = async {
            let tcp = TcpStream::connect(host).await.map_err(|error| Closed::broken(&error))?;
            client_async(&url, tcp).await.map_err(Closed::from_handshake)
        };
        let deadline = Instant::now() + SOON;
        let (mut socket, _) = timeout_at(deadline, opening).await.unwrap_or_else(|_| panic!("no handshake: {url}"))?;
        let hello = read(&mut socket, deadline, "hello").await?;
        assert_eq!(hello["t"], "hello", "the first frame is a hello, not {hello}");
        let position = Position::from_hello(&hello, join.position.as_ref())
            .unwrap_or_else(|breach| panic!("{breach}, joining at {:?}: {hello:#}", join.position));
        let state = hello["state"].clone();
        let mut live =
            Live { socket, hello, position, state, waiting: VecDeque::new(), counts: HashMap::new(), references: 0 };
        live.check_counts(&live.state.clone());
        Ok(live)
    }

    /// The next frame the test has not seen. Panics when none comes or the connection ends.
    pub async fn next(&mut self, deadline: Duration) -> Value {
        match self.waiting.pop_front() {
            Some(frame) => frame,
            None => self.receive(Instant::now() + deadline, "frame").await,
        }
    }

    /// Reads on until a frame is the wanted one, and returns that.
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

    /// Reads on until an event of the log is the wanted one, and returns the event.
    pub async fn event(&mut self, what: &str, deadline: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let find = |frame: &Value| frame["events"].as_array()?.iter().find(|event| wanted(event)).cloned();
        let frame = self.until(what, deadline, |frame| find(frame).is_some()).await;
        find(&frame).expect("it was found a moment ago")
    }

    /// Reads on until the whole state is as wanted; true at once if it already is.
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
                assert!(!frame["ok"].is_null(), "a reply says ok or error: {frame}");
                return Ok(frame["ok"].clone());
            }
        }
    }

    /// The code of the refusal of a verb; panics when it was done.
    pub async fn refused(&mut self, verb: Value) -> String {
        let error = self.ask(verb.clone()).await.expect_err(&verb.to_string());
        error["code"].as_str().unwrap_or_else(|| panic!("no code in {error}")).to_owned()
    }

    /// Any frame, also one that nobody should send.
    pub async fn send(&mut self, message: Message) {
        self.socket.send(message).await.expect("the connection is open");
    }

    /// Waits for the end of the connection; frames before it are checked and dropped.
    pub async fn closed(&mut self, deadline: Duration) -> Closed {
        let deadline = Instant::now() + deadline;
        loop {
            match read(&mut self.socket, deadline, "end of the connection").await {
                Ok(frame) => self.check(&frame),
                Err(closed) => return closed,
            }
        }
    }

    /// Leaves politely.
    pub async fn leave(mut self) {
        let _ = self.socket.close(None).await;
    }

    async fn receive(&mut self, deadline: Instant, what: &str) -> Value {
        let frame = read(&mut self.socket, deadline, what).await;
        let frame = frame.unwrap_or_else(|closed| panic!("no {what}, the connection ended: {closed:?}"));
        self.check(&frame);
        frame
    }

    fn check(&mut self, frame: &Value) {
        let before = self.position.clone();
        self.position.follow(frame).unwrap_or_else(|breach| panic!("{breach}, being at {before:?}: {frame:#}"));
        self.check_counts(&frame["state"]);
        match frame["t"].as_str() {
            Some("snapshot") => self.state = frame["state"].clone(),
            Some("tick") => merge(&mut self.state, &frame["state"]),
            _ => {}
        }
    }

    /// No viewer sees an older count after a newer one.
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

/// A tick brings the changed keys; of `offers` only the changed ones.
fn merge(state: &mut Value, changed: &Value) {
    for (key, value) in changed.as_object().into_iter().flatten() {
        match value.as_object().filter(|_| key == "offers") {
            Some(offers) => offers.iter().for_each(|(id, offer)| state["offers"][id] = offer.clone()),
            None => state[key] = value.clone(),
        }
    }
}

async fn read(socket: &mut WebSocketStream<TcpStream>, deadline: Instant, what: &str) -> Result<Value, Closed> {
    loop {
        let read = timeout_at(deadline, socket.next()).await;
        match read.unwrap_or_else(|_| panic!("no {what} in time")) {
            Some(Ok(Message::Text(text))) => {
                return Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}")));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(Some(frame)))) => {
                return Err(Closed { code: frame.code.into(), reason: frame.reason.to_string() });
            }
            Some(Ok(Message::Close(None))) => return Err(Closed { code: 1005, reason: String::new() }),
            Some(Ok(other)) => panic!("the server sends text only, not {other:?}"),
            Some(Err(error)) => return Err(Closed::broken(&error)),
            None => return Err(Closed { code: 1006, reason: String::new() }),
        }
    }
}

impl Closed {
    fn broken(error: &dyn std::error::Error) -> Closed {
        Closed { code: 1006, reason: error.to_string() }
    }

    fn from_handshake(error: tungstenite::Error) -> Closed {
        match error {
            tungstenite::Error::Http(answer) => {
                let reason = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
                Closed { code: answer.status().as_u16(), reason }
            }
            error => Closed::broken(&error),
        }
    }
}

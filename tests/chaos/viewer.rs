//! A viewer: watches at some node, chats now and then, and reconnects to any node when the connection ends.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use client::{ClientPosition, JoinOptions, LiveSocket};
use loadtest::invariants::ViewerState;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::oracle::PromiseViolation;
use crate::viewer_group::{ReceivedFrame, ViewerGroup};

/// How long a handshake and its hello may take before another node is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(6);
/// The server pings every 25 seconds, if it sends nothing else.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(45);
/// A node replies to a message within about two seconds, whatever is broken; the rest is for a busy machine.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two messages of one viewer.
const MESSAGE_PAUSE_MS: (u64, u64) = (10_000, 60_000);

pub struct ChaosViewer {
    group: Arc<ViewerGroup>,
    number: usize,
    token: String,
    session: String,
    state: ViewerState,
    rng: StdRng,
    messages_sent: usize,
    /// The last message, while it has no reply.
    pending_message: Option<PendingMessage>,
    /// `None`: the run is over, so the viewer sends nothing more.
    next_message_at: Option<Instant>,
    /// The node is draining: another node must be found before this time.
    move_at: Option<Instant>,
}

struct PendingMessage {
    reference: String,
    at: Instant,
    /// The run does not end before this token is dropped.
    _pending: TaskTrackerToken,
}

impl ChaosViewer {
    pub fn new(group: Arc<ViewerGroup>, number: usize, mut rng: StdRng) -> ChaosViewer {
        let token = group.context.token(&format!("viewer-{number:03}"), "viewer");
        let session = format!("session-{number:03}-{:08x}", rng.random::<u32>());
        let next_message_at = Some(Instant::now() + Duration::from_millis(rng.random_range(0..MESSAGE_PAUSE_MS.1)));
        let state = ViewerState::default();
        ChaosViewer {
            group,
            number,
            token,
            session,
            state,
            rng,
            messages_sent: 0,
            pending_message: None,
            next_message_at,
            move_at: None,
        }
    }

    /// Sends messages until the run is over, and receives until every viewer has received everything.
    pub async fn live(mut self) {
        let unwatched = self.group.context.unwatched.clone();
        tokio::select! {
            () = unwatched.cancelled() => {}
            () = self.watch_and_reconnect() => {}
        }
    }

    async fn watch_and_reconnect(&mut self) {
        let mut node = self.rng.random_range(0..self.group.context.urls.len());
        loop {
            if let Some(mut socket) = self.connect(node).await {
                self.group.here.fetch_add(1, Ordering::SeqCst);
                while let Some(next) = self.receive_until_end(socket).await {
                    socket = next;
                    self.group.counters.moved.fetch_add(1, Ordering::Relaxed);
                }
                self.group.here.fetch_sub(1, Ordering::SeqCst);
                // The answer would have come on this link.
                self.pending_message = None;
            }
            let pause = self.rng.random_range(20..600);
            sleep(Duration::from_millis(pause)).await;
            node = self.rng.random_range(0..self.group.context.urls.len());
        }
    }

    /// A connection whose hello was received.
    async fn connect(&mut self, node: usize) -> Option<LiveSocket> {
        let context = &self.group.context;
        let position = self.group.position(&self.state).map(|(epoch, seq)| ClientPosition { epoch, seq });
        let options = JoinOptions {
            token: Some(self.token.clone()),
            position,
            session: Some(self.session.clone()),
            ..JoinOptions::default()
        };
        let joining = async {
            let mut socket = LiveSocket::connect(&context.urls[node], &context.stream, &options).await.ok()?;
            let hello = socket.receive_text().await.ok()?;
            Some((socket, hello))
        };
        let (socket, hello) = timeout(CONNECT_TIMEOUT, joining).await.ok()??;
        self.group.counters.links.fetch_add(1, Ordering::Relaxed);
        // What the earlier connection still had to send is not received any more.
        self.state.begin_connection();
        (self.move_at, self.pending_message) = (None, None);
        self.group.receive(self.number, &mut self.state, &hello);
        Some(socket)
    }

    /// Ends with the connection. Returns the next one if this node asked the viewer to move and another node was found
    /// in time.
    async fn receive_until_end(&mut self, mut socket: LiveSocket) -> Option<LiveSocket> {
        let mut heard_at = Instant::now();
        loop {
            let due = [
                self.next_message_at,
                self.move_at,
                self.pending_message.as_ref().map(|pending_message| pending_message.at + REPLY_TIMEOUT),
            ];
            let due = due.into_iter().flatten().fold(heard_at + SILENCE_TIMEOUT, Instant::min);
            tokio::select! {
                message = socket.receive_message() => match message {
                    Ok(Message::Text(text)) => {
                        heard_at = Instant::now();
                        let said = self.group.receive(self.number, &mut self.state, &text);
                        self.handle_frame(said);
                    }
                    Ok(_) => heard_at = Instant::now(),
                    Err(_) => return None,
                },
                () = sleep_until(due) => {
                    if let ControlFlow::Break(next) = self.run_due_actions(&mut socket, heard_at).await {
                        return next;
                    }
                }
            }
        }
    }

    fn handle_frame(&mut self, said: ReceivedFrame) {
        match said {
            ReceivedFrame::Moving(within_ms) => {
                let wait = self.rng.random_range(0..=within_ms.min(5_000));
                self.move_at = Some(Instant::now() + Duration::from_millis(wait));
            }
            ReceivedFrame::Reply(reply) => self.handle_reply(&reply),
            ReceivedFrame::Room | ReceivedFrame::Other => {}
        }
    }

    fn handle_reply(&mut self, reply: &Value) {
        let Some(pending_message) =
            self.pending_message.take_if(|pending_message| reply["ref"] == pending_message.reference.as_str())
        else {
            return;
        };
        if let Some(id) = reply["ok"]["id"].as_str() {
            self.group.count_reply("sent");
            return self.group.acknowledge(id);
        }
        let code = reply["error"]["code"].as_str().unwrap_or("nothing");
        self.group.count_reply(code);
        if !matches!(code, "busy" | "unavailable") {
            let what = format!("viewer {} sent message {} and got {reply}", self.number, pending_message.reference);
            self.group.context.record_violation(PromiseViolation::new("answers", what));
        }
    }

    /// Does what is due.
    async fn run_due_actions(&mut self, socket: &mut LiveSocket, heard_at: Instant) -> ControlFlow<Option<LiveSocket>> {
        let now = Instant::now();
        if let Some(PendingMessage { reference, at, .. }) =
            self.pending_message.take_if(|pending_message| pending_message.at + REPLY_TIMEOUT <= now)
        {
            let (waited, said) = (at.elapsed(), format!("message {reference} of viewer {}", self.number));
            let what = format!("{said} was not answered within {waited:?}, at {}", self.group.context.now());
            self.group.context.record_violation(PromiseViolation::new("chat has a clear answer", what));
        }
        if heard_at + SILENCE_TIMEOUT <= now {
            return ControlFlow::Break(None);
        }
        if self.move_at.is_some_and(|at| at <= now) {
            // The new connection opens before the old one is left; the old one may end meanwhile.
            self.move_at = None;
            let node = self.rng.random_range(0..self.group.context.urls.len());
            return match self.connect(node).await {
                Some(next) => ControlFlow::Break(Some(next)),
                None => {
                    self.move_at = Some(now + Duration::from_millis(100));
                    ControlFlow::Continue(())
                }
            };
        }
        if self.next_message_at.is_some_and(|at| at <= now) {
            // Counted before the check: either the end of the run waits for this message, or this viewer sees the end.
            let pending = self.group.track_message();
            if self.group.context.over.is_cancelled() {
                self.next_message_at = None;
                return ControlFlow::Continue(());
            }
            if self.pending_message.is_none() && !self.send_message(socket, pending).await {
                return ControlFlow::Break(None);
            }
            self.next_message_at =
                Some(now + Duration::from_millis(self.rng.random_range(MESSAGE_PAUSE_MS.0..MESSAGE_PAUSE_MS.1)));
        }
        ControlFlow::Continue(())
    }

    /// Sends a chat message. Returns whether the socket accepted it.
    async fn send_message(&mut self, socket: &mut LiveSocket, pending: TaskTrackerToken) -> bool {
        self.messages_sent += 1;
        let (reference, at) = (self.messages_sent.to_string(), Instant::now());
        let verb = json!({"do": "say", "ref": reference, "text": format!("{} of {}", self.messages_sent, self.number)});
        let sent = timeout(REPLY_TIMEOUT, socket.send(Message::text(verb.to_string()))).await;
        self.pending_message = Some(PendingMessage { reference, at, _pending: pending });
        matches!(sent, Ok(Ok(())))
    }
}

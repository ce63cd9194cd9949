//! A viewer: watches at some node, says something now and then, and comes back wherever there is room when the link ends.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use loadtest::invariants::ViewerState;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::oracle::PromiseViolation;
use crate::viewer_group::{ReceivedFrame, ViewerGroup};

/// How long a handshake and its hello may take before another node is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(6);
/// Somebody pings each 25 seconds, if nothing else is said.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(45);
/// A node answers talk within two seconds or so, whatever is broken; the rest is for a machine that is busy.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two messages of one viewer.
const MESSAGE_PAUSE_MS: (u64, u64) = (10_000, 60_000);

type ViewerSocket = WebSocketStream<TcpStream>;

pub struct ChaosViewer {
    group: Arc<ViewerGroup>,
    number: usize,
    token: String,
    session: String,
    state: ViewerState,
    rng: StdRng,
    messages_sent: usize,
    /// What was said last and is not answered yet.
    pending_message: Option<PendingMessage>,
    /// `None`: the run is over, so the viewer sends nothing more.
    next_message_at: Option<Instant>,
    /// A node that is left: another one is to be found before this.
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

    /// Talks until the run is over, and listens until everybody has heard everything.
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

    /// A link whose hello was heard.
    async fn connect(&mut self, node: usize) -> Option<ViewerSocket> {
        let board = &self.group.context;
        let host = board.urls[node].trim_start_matches("http://");
        let mut url =
            format!("ws://{host}/v1/streams/{}/live?token={}&session={}", board.stream, self.token, self.session);
        if let Some((epoch, seq)) = self.group.position(&self.state) {
            url += &format!("&epoch={epoch}&seq={seq}");
        }
        let opening = async {
            let tcp = TcpStream::connect(host).await.ok()?;
            tcp.set_nodelay(true).ok()?;
            let (mut socket, _) = client_async(&url, tcp).await.ok()?;
            loop {
                match socket.next().await?.ok()? {
                    Message::Text(hello) => return Some((socket, hello)),
                    Message::Ping(_) | Message::Pong(_) => {}
                    _ => return None,
                }
            }
        };
        let (socket, hello) = timeout(CONNECT_TIMEOUT, opening).await.ok()??;
        self.group.counters.links.fetch_add(1, Ordering::Relaxed);
        // What the link before this one still had to say is not heard any more.
        self.state.begin_connection();
        (self.move_at, self.pending_message) = (None, None);
        self.group.receive(self.number, &mut self.state, &hello);
        Some(socket)
    }

    /// Ends with the link; gives the next one if this node sent us to another and that was found in time.
    async fn receive_until_end(&mut self, mut socket: ViewerSocket) -> Option<ViewerSocket> {
        let mut heard_at = Instant::now();
        loop {
            let due = [
                self.next_message_at,
                self.move_at,
                self.pending_message.as_ref().map(|pending_message| pending_message.at + REPLY_TIMEOUT),
            ];
            let due = due.into_iter().flatten().fold(heard_at + SILENCE_TIMEOUT, Instant::min);
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        heard_at = Instant::now();
                        let said = self.group.receive(self.number, &mut self.state, &text);
                        self.handle_frame(said);
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => heard_at = Instant::now(),
                    _ => return None,
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
            self.group.count_reply("said");
            return self.group.acknowledge(id);
        }
        let code = reply["error"]["code"].as_str().unwrap_or("nothing");
        self.group.count_reply(code);
        if !matches!(code, "busy" | "unavailable") {
            let what = format!("viewer {} said {} and was answered {reply}", self.number, pending_message.reference);
            self.group.context.record_violation(PromiseViolation::new("answers", what));
        }
    }

    /// Something is due.
    async fn run_due_actions(
        &mut self,
        socket: &mut ViewerSocket,
        heard_at: Instant,
    ) -> ControlFlow<Option<ViewerSocket>> {
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
            // The new one before the old one is left; the one that is left may end meanwhile.
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
            // Counted first: whoever ends the run then waits for this one, or this one sees the end.
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
    async fn send_message(&mut self, socket: &mut ViewerSocket, pending: TaskTrackerToken) -> bool {
        self.messages_sent += 1;
        let (reference, at) = (self.messages_sent.to_string(), Instant::now());
        let verb = json!({"do": "say", "ref": reference, "text": format!("{} of {}", self.messages_sent, self.number)});
        let sent = timeout(REPLY_TIMEOUT, socket.send(Message::text(verb.to_string()))).await;
        self.pending_message = Some(PendingMessage { reference, at, _pending: pending });
        matches!(sent, Ok(Ok(())))
    }
}

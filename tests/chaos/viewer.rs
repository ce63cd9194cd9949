//! A viewer: watches at some node, says something now and then, and comes back wherever there is room when the link ends.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use loadtest::truth::Place;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::crowd::{Crowd, Said};
use crate::oracle::Breach;

/// How long a handshake and its hello may take before another node is tried.
const OPENING: Duration = Duration::from_secs(6);
/// Somebody pings each 25 seconds, if nothing else is said.
const SILENCE: Duration = Duration::from_secs(45);
/// A node answers talk within two seconds or so, whatever is broken; the rest is for a machine that is busy.
const ANSWER: Duration = Duration::from_secs(10);
/// Between two messages of one viewer.
const PAUSE_MS: (u64, u64) = (10_000, 60_000);

type Socket = WebSocketStream<TcpStream>;

pub struct Viewer {
    crowd: Arc<Crowd>,
    number: usize,
    token: String,
    session: String,
    place: Place,
    rng: StdRng,
    says: usize,
    /// What was said last and is not answered yet.
    asked: Option<(String, Instant)>,
    talks_at: Instant,
    /// A node that is left: another one is to be found before this.
    moves_at: Option<Instant>,
}

impl Viewer {
    pub fn new(crowd: Arc<Crowd>, number: usize, mut rng: StdRng) -> Viewer {
        let token = crowd.board.token(&format!("viewer-{number:03}"), "viewer");
        let session = format!("session-{number:03}-{:08x}", rng.random::<u32>());
        let talks_at = Instant::now() + Duration::from_millis(rng.random_range(0..PAUSE_MS.1));
        let place = Place::default();
        Viewer { crowd, number, token, session, place, rng, says: 0, asked: None, talks_at, moves_at: None }
    }

    /// Until the run is over.
    pub async fn live(mut self) {
        let over = self.crowd.board.over.clone();
        tokio::select! {
            () = over.cancelled() => {}
            () = self.watch_and_come_back() => {}
        }
    }

    async fn watch_and_come_back(&mut self) {
        let mut node = self.rng.random_range(0..self.crowd.board.urls.len());
        loop {
            if let Some(mut socket) = self.open(node).await {
                self.crowd.here.fetch_add(1, Ordering::SeqCst);
                while let Some(next) = self.watch(socket).await {
                    socket = next;
                    self.crowd.tally.moved.fetch_add(1, Ordering::Relaxed);
                }
                self.crowd.here.fetch_sub(1, Ordering::SeqCst);
            }
            let pause = self.rng.random_range(20..600);
            sleep(Duration::from_millis(pause)).await;
            node = self.rng.random_range(0..self.crowd.board.urls.len());
        }
    }

    /// A link whose hello was heard.
    async fn open(&mut self, node: usize) -> Option<Socket> {
        let board = &self.crowd.board;
        let host = board.urls[node].trim_start_matches("http://");
        let mut url =
            format!("ws://{host}/v1/streams/{}/live?token={}&session={}", board.stream, self.token, self.session);
        if let Some((epoch, seq)) = self.crowd.position(&self.place) {
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
        let (socket, hello) = timeout(OPENING, opening).await.ok()??;
        self.crowd.tally.links.fetch_add(1, Ordering::Relaxed);
        // What the link before this one still had to say is not heard any more.
        self.place.relink();
        (self.moves_at, self.asked) = (None, None);
        self.crowd.hear(self.number, &mut self.place, &hello);
        Some(socket)
    }

    /// Ends with the link; gives the next one if this node sent us to another and that was found in time.
    async fn watch(&mut self, mut socket: Socket) -> Option<Socket> {
        let mut heard_at = Instant::now();
        loop {
            let due = [Some(self.talks_at), self.moves_at, self.asked.as_ref().map(|(_, at)| *at + ANSWER)];
            let due = due.into_iter().flatten().fold(heard_at + SILENCE, Instant::min);
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        heard_at = Instant::now();
                        let said = self.crowd.hear(self.number, &mut self.place, &text);
                        self.heed(said);
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => heard_at = Instant::now(),
                    _ => return None,
                },
                () = sleep_until(due) => {
                    if let ControlFlow::Break(next) = self.act(&mut socket, heard_at).await {
                        return next;
                    }
                }
            }
        }
    }

    fn heed(&mut self, said: Said) {
        match said {
            Said::Moving(within_ms) => {
                let wait = self.rng.random_range(0..=within_ms.min(5_000));
                self.moves_at = Some(Instant::now() + Duration::from_millis(wait));
            }
            Said::Reply(reply) => self.answered(&reply),
            Said::Room | Said::Other => {}
        }
    }

    fn answered(&mut self, reply: &Value) {
        let Some((reference, _)) = self.asked.take_if(|(asked, _)| reply["ref"] == asked.as_str()) else { return };
        if let Some(id) = reply["ok"]["id"].as_str() {
            self.crowd.answered("said");
            return self.crowd.acknowledge(id);
        }
        let code = reply["error"]["code"].as_str().unwrap_or("nothing");
        self.crowd.answered(code);
        if !matches!(code, "busy" | "unavailable") {
            let what = format!("viewer {} said {reference} and was answered {reply}", self.number);
            self.crowd.board.breach(Breach::new("answers", what));
        }
    }

    /// Something is due.
    async fn act(&mut self, socket: &mut Socket, heard_at: Instant) -> ControlFlow<Option<Socket>> {
        let now = Instant::now();
        if let Some((reference, at)) = self.asked.take_if(|(_, at)| *at + ANSWER <= now) {
            let (waited, said) = (at.elapsed(), format!("message {reference} of viewer {}", self.number));
            let what = format!("{said} was not answered within {waited:?}, at {}", self.crowd.board.now());
            self.crowd.board.breach(Breach::new("chat has a clear answer", what));
        }
        if heard_at + SILENCE <= now {
            return ControlFlow::Break(None);
        }
        if self.moves_at.is_some_and(|at| at <= now) {
            // The new one before the old one is left; the one that is left may end meanwhile.
            self.moves_at = None;
            let node = self.rng.random_range(0..self.crowd.board.urls.len());
            return match self.open(node).await {
                Some(next) => ControlFlow::Break(Some(next)),
                None => {
                    self.moves_at = Some(now + Duration::from_millis(100));
                    ControlFlow::Continue(())
                }
            };
        }
        if self.talks_at <= now && self.asked.is_none() {
            self.says += 1;
            let reference = self.says.to_string();
            let verb = json!({"do": "say", "ref": reference, "text": format!("{} of {}", self.says, self.number)});
            match timeout(ANSWER, socket.send(Message::text(verb.to_string()))).await {
                Ok(Ok(())) => self.asked = Some((reference, now)),
                _ => return ControlFlow::Break(None),
            }
        }
        if self.talks_at <= now {
            self.talks_at = now + Duration::from_millis(self.rng.random_range(PAUSE_MS.0..PAUSE_MS.1));
        }
        ControlFlow::Continue(())
    }
}

//! One WebSocket connection: reads what the client sends, runs verbs, and leaves the writing to the room.
//!
//! There is one task per connection, and it is small: an idle viewer holds no read buffer, only the rest of an incomplete
//! message. Fast verbs are replied to in order. Slow verbs (those that move money, for example) run in tasks of their own, at
//! most eight at a time.

mod ready_verb;

#[cfg(test)]
mod session_test;

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::app::App;
use crate::domain::{Actor, AdmissionTicket, AtomicBucket, Rate};
use crate::metrics::increment;
use crate::protocol::{BadFrame, ClientFrame, Close, EncodedEvent, Frame, FrameReader, IncomingMessage, server};
use crate::room::{self, JoinRequest, Room, Subscription};

pub use crate::room::StreamPosition;
use ready_verb::ReadyVerb;

const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// TCP_NOTSENT_LOWAT: how much the kernel buffers ahead of what it can send. It is small so that a slow viewer gets current
/// values and not old ones.
const UNSENT_BYTES_MAX: u32 = 16 * 1024;
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// After this many reads in a row, the task yields to the other tasks of its worker thread.
const READS_PER_YIELD: usize = 8;
/// How often a full reply queue is checked.
const QUEUE_POLL_INTERVAL: Duration = Duration::from_millis(5);
const SLOW_VERBS_MAX: u32 = 8;
/// Frames of a viewer, and of the team: more are read later. A person sends a few in a second.
const VIEWER_FRAMES: Rate = Rate::new(200, 20);
const TEAM_FRAMES: Rate = Rate::new(400, 5);
/// How long the server waits for the client's close frame after its own.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The same during shutdown, which waits for all connections.
const CLOSE_TIMEOUT_AT_STOP: Duration = Duration::from_millis(500);

/// A connection after the WebSocket upgrade, and who it belongs to.
pub struct UpgradedConnection {
    pub socket: TcpStream,
    /// Bytes that arrived behind the HTTP request.
    pub read_ahead: Bytes,
    pub actor: Actor,
    pub session: Option<String>,
    pub position: Option<StreamPosition>,
    /// The events after that position, as far as the broker's history has them.
    pub missed: Vec<(u64, EncodedEvent)>,
    /// The field `you` of the hello frame, as JSON.
    pub you: Bytes,
    /// Both sides negotiated permessage-deflate.
    pub deflate: bool,
    /// Not counted as a viewer: an overlay, a probe, or more connections than an address may have.
    pub is_uncounted: bool,
}

/// Serves a connection until it ends. A purchase that has started is finished, also during shutdown. `guard` is dropped at the end.
///
/// The join happens before the future is created, not inside it: what the join needs must not stay in the memory of an idle viewer.
/// For the same reason the future has each value once: what it borrows belongs to it and is not copied into it.
pub fn serve<H: Send>(
    app: App,
    room: Arc<Room>,
    connection: UpgradedConnection,
    guard: H,
) -> impl Future<Output = ()> + Send {
    let UpgradedConnection { socket, read_ahead, actor, session, position, missed, you, deflate, is_uncounted } =
        connection;
    configure_socket(&socket);
    let socket = Arc::new(socket);
    let join_request =
        JoinRequest { socket: socket.clone(), actor, session, position, missed, you, deflate, is_uncounted };
    let mut joined = match room.join(join_request) {
        Ok(subscription) => {
            app.streams.publish_join(subscription.member());
            if let Some(close) = app.streams.close_reason(subscription.member()) {
                // The user was banned, or their token revoked, while this connection was joining: the room could not close it yet.
                subscription.member().close(close);
            }
            Ok((Connection { subscription, app, frames: AtomicBucket::default() }, Input::new(deflate, &read_ahead)))
        }
        Err(close) => {
            app.rooms().counters.closes.count(close);
            Err((socket, close))
        }
    };
    async move {
        let _guard = &guard;
        match &mut joined {
            Ok((connection, input)) => connection.run(input).await,
            Err((socket, close)) => Box::pin(send_close(socket, *close, None)).await,
        }
    }
}

/// Closes an upgraded connection that is refused. Browsers cannot read a failed handshake, but they can read a close code.
pub async fn refuse(socket: TcpStream, close: Close, ticket: Option<AdmissionTicket>) {
    configure_socket(&socket);
    send_close(&socket, close, ticket).await;
}

/// The close code for a client that may reconnect later: the server is overloaded.
pub fn overload_close() -> Close {
    Close::Overload { retry_ms: room::retry_ms() }
}

/// What was read and is not handled yet.
struct Input {
    reader: FrameReader,
    /// Complete messages, the last one first.
    messages: Vec<Result<IncomingMessage, BadFrame>>,
}

impl Input {
    /// `read_ahead`: what arrived with the handshake.
    fn new(deflate: bool, read_ahead: &[u8]) -> Self {
        let mut input = Self { reader: FrameReader::new(deflate), messages: Vec::new() };
        input.parse(read_ahead);
        input
    }

    /// Takes in the messages that are complete within `bytes`, and the protocol error after them, if there is one.
    fn parse(&mut self, mut bytes: &[u8]) {
        self.messages = std::iter::from_fn(|| self.reader.next(&mut bytes).transpose())
            .scan(false, |ended, incoming| (!std::mem::replace(ended, incoming.is_err())).then_some(incoming))
            .collect();
        self.messages.reverse();
    }
}

struct Connection {
    subscription: Subscription,
    app: App,
    frames: AtomicBucket,
}

/// Boxed: otherwise the futures of all verbs would be part of every idle connection.
type BoxedWork<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Connection {
    fn socket(&self) -> &TcpStream {
        self.subscription.member().socket()
    }

    async fn run(&self, input: &mut Input) {
        tokio::select! {
            biased;
            // The writer has closed this socket, for whatever reason.
            () = self.subscription.run() => {
                let is_stopping = self.app.stopping().is_cancelled();
                let timeout = if is_stopping { CLOSE_TIMEOUT_AT_STOP } else { CLOSE_TIMEOUT };
                Box::pin(discard_until_closed(self.socket(), timeout)).await;
            }
            () = self.read(input) => {}
        }
    }

    /// Returns when the client is gone. After a protocol error it waits until the writer closes the connection.
    async fn read(&self, input: &mut Input) {
        let mut reads = 0;
        loop {
            while !input.messages.is_empty() {
                while let Err(wait_ms) = self.take_frame() {
                    // Boxed like the verbs: few connections ever wait here.
                    Box::pin(tokio::time::sleep(Duration::from_millis(wait_ms))).await;
                }
                match self.handle_next(input) {
                    ControlFlow::Continue(Some(work)) => work.await,
                    ControlFlow::Continue(None) => {}
                    ControlFlow::Break(()) => return std::future::pending().await,
                }
            }
            match self.read_available(input) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    reads = 0;
                    input.messages = Vec::new();
                    // Polled by hand: the future is smaller than tokio's `readable()`. It also replaces the waker of the
                    // HTTP server, which would otherwise keep the memory of the HTTP task alive.
                    if std::future::poll_fn(|task| self.socket().poll_read_ready(task)).await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
            reads += 1;
            if reads == READS_PER_YIELD {
                reads = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    /// A client that sends faster than this is read slower. The error is the number of milliseconds until the next frame.
    fn take_frame(&self) -> Result<(), u64> {
        if !self.app.settings().are_requests_limited {
            return Ok(());
        }
        let rate = if self.subscription.member().actor.is_team() { TEAM_FRAMES } else { VIEWER_FRAMES };
        self.frames.take(rate, self.app.clock().now()).map_err(|wait_ms| {
            increment(&self.app.counters().frames_delayed);
            wait_ms.unsigned_abs()
        })
    }

    /// Reads once, into a buffer on the stack, so that an idle viewer needs no buffer.
    fn read_available(&self, input: &mut Input) -> std::io::Result<()> {
        let mut buffer = [0; READ_BUFFER_BYTES];
        match self.socket().try_read(&mut buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            length => {
                self.subscription.record_received();
                input.parse(&buffer[..length]);
                Ok(())
            }
        }
    }

    /// Handles the next message. The value is what is still to be done for it; `Break`: the connection closes, and nothing more is
    /// read.
    fn handle_next(&self, input: &mut Input) -> ControlFlow<(), Option<BoxedWork<'_>>> {
        let member = self.subscription.member();
        let end = match input.messages.pop() {
            Some(Ok(IncomingMessage::Text(text))) => {
                return ControlFlow::Continue(Some(Box::pin(async {
                    self.wait_for_queue_space().await;
                    self.handle_text(text).await;
                })));
            }
            Some(Ok(IncomingMessage::Ping(payload))) => {
                member.send(Frame::pong(&payload));
                return ControlFlow::Continue(None);
            }
            Some(Ok(IncomingMessage::Pong)) | None => return ControlFlow::Continue(None),
            Some(Ok(IncomingMessage::Close(_))) => Close::Normal,
            Some(Ok(IncomingMessage::Binary)) => Close::BadFrame(BadFrame::Binary),
            Some(Err(fault)) => Close::BadFrame(fault),
        };
        member.close(end);
        ControlFlow::Break(())
    }

    /// Backpressure: if a client sends faster than it reads replies, the server reads slower. If it reads nothing at all, the
    /// writer closes the connection.
    async fn wait_for_queue_space(&self) {
        while self.subscription.member().is_queue_half_full() {
            tokio::time::sleep(QUEUE_POLL_INTERVAL).await;
        }
    }

    async fn handle_text(&self, text: String) {
        let member = self.subscription.member();
        let ClientFrame { reference, verb } = ClientFrame::parse(&text);
        let verb = match verb.and_then(ReadyVerb::parse) {
            Ok(verb) => verb,
            Err(refusal) => return member.send(server::reply_refused(reference.as_deref(), &refusal)),
        };
        let running = member.begin_verb();
        if !verb.is_slow() {
            if let Some(reply) = verb.run(&self.app, member, reference.as_deref()).await {
                member.send(reply);
            }
            return;
        }
        let Some(slow) = member.begin_slow_verb(SLOW_VERBS_MAX) else {
            return member.send(server::reply_refused(reference.as_deref(), &ready_verb::too_many_slow_verbs()));
        };
        let (app, member) = (self.app.clone(), member.clone());
        self.app.spawn(async move {
            let (_slow, _running) = (slow, running);
            if let Some(reply) = verb.run(&app, &member, reference.as_deref()).await {
                member.send(reply);
            }
        });
    }
}

/// The send buffer is small: events for a slow viewer wait in the room, where viewers share them, and not once per viewer in the
/// kernel.
fn configure_socket(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
    let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
    let _ = socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
}

async fn send_close(socket: &TcpStream, close: Close, ticket: Option<AdmissionTicket>) {
    // The send buffer of a fresh socket always has space for such a small frame.
    if socket.try_write(Frame::close_with_ticket(close, ticket).bytes()).is_ok() {
        let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Write);
        discard_until_closed(socket, CLOSE_TIMEOUT).await;
    }
}

/// Discards input until the client has closed its side too. Otherwise a TCP reset could destroy the close frame.
async fn discard_until_closed(socket: &TcpStream, timeout: Duration) {
    let until_end = async {
        while socket.readable().await.is_ok() {
            match discard_input(socket) {
                Ok(0) => return,
                Err(error) if error.kind() != ErrorKind::WouldBlock => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let _ = tokio::time::timeout(timeout, until_end).await;
}

/// A separate function, so that its buffer is not part of the future of a waiting connection.
fn discard_input(socket: &TcpStream) -> std::io::Result<usize> {
    socket.try_read(&mut [0; READ_BUFFER_BYTES])
}

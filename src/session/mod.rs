//! One WebSocket connection: reads what the client sends, runs verbs, and leaves the writing to the room.
//!
//! There is one task per connection, and it is small: an idle viewer holds no read buffer, only the rest of an incomplete
//! message. Fast verbs are replied to in order. Slow verbs (those that move money, for example) run in tasks of their own, at
//! most eight at a time.

mod ready_verb;

#[cfg(test)]
mod session_test;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::app::App;
use crate::domain::{Actor, AtomicBucket, Rate};
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
/// After so many reads in a row, the task yields to the other tasks of its worker thread.
const READS_PER_YIELD: usize = 8;
/// How often a full reply queue is checked.
const QUEUE_POLL_INTERVAL: Duration = Duration::from_millis(5);
const SLOW_VERBS_MAX: usize = 8;
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
    let joined = room.join(join_request);
    match &joined {
        Ok(subscription) => {
            app.streams.publish_join(subscription.member());
            if let Some(close) = app.streams.close_reason(subscription.member()) {
                // The user was banned, or their token revoked, while this connection was joining: the room could not close it yet.
                subscription.member().close(close);
            }
        }
        Err(close) => app.rooms().counters.closes.count(*close),
    }
    async move {
        let _guard = &guard;
        let subscription = match &joined {
            Ok(subscription) => subscription,
            Err(close) => return send_close(&socket, *close).await,
        };
        let connection = Connection::new(subscription, &socket, app, deflate);
        tokio::select! {
            biased;
            // The writer has closed this socket, for whatever reason.
            () = subscription.run() => {
                let is_stopping = connection.app.stopping().is_cancelled();
                drain_socket(&socket, if is_stopping { CLOSE_TIMEOUT_AT_STOP } else { CLOSE_TIMEOUT }).await;
            }
            () = connection.read(&read_ahead) => {}
        }
    }
}

/// Closes an upgraded connection that is refused. Browsers cannot read a failed handshake, but they can read a close code.
pub async fn refuse(socket: TcpStream, close: Close) {
    configure_socket(&socket);
    send_close(&socket, close).await;
}

/// The close code for a client that may reconnect later: the server is overloaded.
pub fn overload_close() -> Close {
    Close::Overload { retry_ms: room::retry_ms() }
}

struct Connection<'a> {
    subscription: &'a Subscription,
    socket: &'a TcpStream,
    app: App,
    slow_verbs: Arc<AtomicUsize>,
    deflate: bool,
    frames: AtomicBucket,
}

impl<'a> Connection<'a> {
    fn new(subscription: &'a Subscription, socket: &'a TcpStream, app: App, deflate: bool) -> Self {
        let (slow_verbs, frames) = Default::default();
        Self { subscription, socket, app, slow_verbs, deflate, frames }
    }

    /// Returns when the client is gone. After a protocol error it waits until the writer closes the connection.
    async fn read(&self, read_ahead: &[u8]) {
        let mut reader = FrameReader::new(self.deflate);
        let mut received: std::io::Result<_> = Ok(parse_frames(&mut reader, read_ahead));
        let mut reads = 0;
        loop {
            match received {
                Ok(incoming) => {
                    for incoming in incoming {
                        while let Err(wait_ms) = self.take_frame() {
                            // Boxed like the verbs: few connections ever wait here.
                            Box::pin(tokio::time::sleep(Duration::from_millis(wait_ms))).await;
                        }
                        if self.handle_incoming(incoming).await.is_break() {
                            return std::future::pending().await;
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    reads = 0;
                    // Polled by hand: the future is smaller than tokio's `readable()`. It also replaces the waker of the
                    // HTTP server, which would otherwise keep the memory of the HTTP task alive.
                    if std::future::poll_fn(|task| self.socket.poll_read_ready(task)).await.is_err() {
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
            received = self.read_available(&mut reader);
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
    fn read_available(&self, reader: &mut FrameReader) -> std::io::Result<Vec<Result<IncomingMessage, BadFrame>>> {
        let mut buffer = [0; READ_BUFFER_BYTES];
        match self.socket.try_read(&mut buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            length => {
                self.subscription.record_received();
                Ok(parse_frames(reader, &buffer[..length]))
            }
        }
    }

    /// `Break`: the connection closes, and nothing more is read.
    async fn handle_incoming(&self, incoming: Result<IncomingMessage, BadFrame>) -> std::ops::ControlFlow<()> {
        let member = self.subscription.member();
        let end = match incoming {
            Ok(IncomingMessage::Text(text)) => {
                // Boxed: otherwise the futures of all verbs would be part of every idle connection.
                Box::pin(async {
                    self.wait_for_queue_space().await;
                    self.handle_text(text).await;
                })
                .await;
                return std::ops::ControlFlow::Continue(());
            }
            Ok(IncomingMessage::Ping(payload)) => {
                member.send(Frame::pong(&payload));
                return std::ops::ControlFlow::Continue(());
            }
            Ok(IncomingMessage::Pong) => return std::ops::ControlFlow::Continue(()),
            Ok(IncomingMessage::Close(_)) => Close::Normal,
            Ok(IncomingMessage::Binary) => Close::BadFrame(BadFrame::Binary),
            Err(fault) => Close::BadFrame(fault),
        };
        member.close(end);
        std::ops::ControlFlow::Break(())
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
        let Some(permit) = SlowVerbPermit::try_acquire(&self.slow_verbs) else {
            return member.send(server::reply_refused(reference.as_deref(), &ready_verb::too_many_slow_verbs()));
        };
        let (app, member) = (self.app.clone(), member.clone());
        self.app.spawn(async move {
            let (_permit, _running) = (permit, running);
            if let Some(reply) = verb.run(&app, &member, reference.as_deref()).await {
                member.send(reply);
            }
        });
    }
}

/// Permission to run one slow verb; dropped when the verb is done.
struct SlowVerbPermit(Arc<AtomicUsize>);

impl SlowVerbPermit {
    fn try_acquire(running: &Arc<AtomicUsize>) -> Option<Self> {
        // Only the task of this connection acquires permits, so nothing happens between the check and the increment.
        (running.load(Ordering::Acquire) < SLOW_VERBS_MAX).then(|| {
            running.fetch_add(1, Ordering::AcqRel);
            Self(running.clone())
        })
    }
}

impl Drop for SlowVerbPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The messages that are complete within `bytes`, and the protocol error after them, if there is one.
fn parse_frames(reader: &mut FrameReader, mut bytes: &[u8]) -> Vec<Result<IncomingMessage, BadFrame>> {
    std::iter::from_fn(|| reader.next(&mut bytes).transpose())
        .scan(false, |ended, incoming| (!std::mem::replace(ended, incoming.is_err())).then_some(incoming))
        .collect()
}

/// The send buffer is small: events for a slow viewer wait in the room, where viewers share them, and not once per viewer in the
/// kernel.
fn configure_socket(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
    let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
    let _ = socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
}

async fn send_close(socket: &TcpStream, close: Close) {
    // The send buffer of a fresh socket always has space for such a small frame.
    if socket.try_write(Frame::close(close).bytes()).is_ok() {
        let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Write);
        drain_socket(socket, CLOSE_TIMEOUT).await;
    }
}

/// Discards input until the client has closed its side too. Otherwise a TCP reset could destroy the close frame.
async fn drain_socket(socket: &TcpStream, patience: Duration) {
    let until_end = async {
        while socket.readable().await.is_ok() {
            match discard_input(socket) {
                Ok(0) => return,
                Err(error) if error.kind() != ErrorKind::WouldBlock => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let _ = tokio::time::timeout(patience, until_end).await;
}

/// A separate function, so that its buffer is not part of the future of a waiting connection.
fn discard_input(socket: &TcpStream) -> std::io::Result<usize> {
    socket.try_read(&mut [0; READ_BUFFER_BYTES])
}

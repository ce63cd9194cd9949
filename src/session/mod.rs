//! One WebSocket connection: reads what the client sends, asks for answers, leaves the writing to the room.
//!
//! One task per connection, and it is small: an idle viewer holds no read buffer, only what is left of an incomplete
//! message. Answers to quick verbs come in order; slow ones (money moves) run beside it, at most eight at a time.

pub mod verbs;

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
use crate::domain::Actor;
use crate::protocol::{BadFrame, ClientFrame, Close, EncodedEvent, Frame, FrameReader, IncomingMessage, Verb, server};
use crate::room::{self, JoinRequest, Room, Subscription};

pub use crate::room::StreamPosition;
pub use verbs::VerbContext;

const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// What the kernel takes ahead of what it can send: no more than this, so that a slow viewer gets values of now.
const UNSENT_BYTES_MAX: u32 = 16 * 1024;
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Reads before others on this worker get their turn.
const READS_PER_YIELD: usize = 8;
/// How often we look whether a client has taken some of its answers.
const QUEUE_POLL_INTERVAL: Duration = Duration::from_millis(5);
const SLOW_VERBS_MAX: usize = 8;
/// How long after our goodbye we wait for the client's.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The same when the server stops, which waits for everybody.
const CLOSE_TIMEOUT_AT_STOP: Duration = Duration::from_millis(500);

/// A connection that was upgraded, and who it is.
pub struct UpgradedConnection {
    pub socket: TcpStream,
    /// What came in behind the request.
    pub read_ahead: Bytes,
    pub actor: Actor,
    pub session: Option<String>,
    pub position: Option<StreamPosition>,
    /// What happened after that, as far as the broker's history knows.
    pub missed: Vec<(u64, EncodedEvent)>,
    /// The `you` of hello, as JSON.
    pub you: Bytes,
    /// Both sides agreed on permessage-deflate.
    pub deflate: bool,
    /// Not one of the audience.
    pub overlay: bool,
}

/// Serves a connection until it ends; a purchase under way is finished, also at shutdown. `held` is dropped at the end.
///
/// What it takes to sit down is done here and not in the future: that is what an idle viewer costs.
pub fn serve<H: Send>(
    app: App,
    room: Arc<Room>,
    arrival: UpgradedConnection,
    held: H,
) -> impl Future<Output = ()> + Send {
    let UpgradedConnection { socket, read_ahead, actor, session, position, missed, you, deflate, overlay } = arrival;
    configure_socket(&socket);
    let socket = Arc::new(socket);
    let joining =
        JoinRequest { socket: socket.clone(), actor, session, position, missed, you, deflate, is_overlay: overlay };
    let joined = room.join(joining);
    match &joined {
        Ok(seat) => {
            app.publish_join(seat.member());
            if let Some(close) = app.close_reason(seat.member()) {
                // The ban came while this one was coming in, and found nobody to send away.
                seat.member().close(close);
            }
        }
        Err(close) => app.rooms().counters.closes.count(*close),
    }
    async move {
        let _held = &held;
        let seat = match &joined {
            Ok(seat) => seat,
            Err(close) => return send_close(&socket, *close).await,
        };
        let context = VerbContext { app, member: seat.member().clone() };
        let connection =
            Connection { subscription: seat, socket: &socket, context, slow_verbs: Arc::default(), deflate };
        tokio::select! {
            biased;
            // The writer is done with this socket: it was closed, for whatever reason.
            () = seat.run() => {
                let stops = connection.context.app.stopping().is_cancelled();
                drain_socket(&socket, if stops { CLOSE_TIMEOUT_AT_STOP } else { CLOSE_TIMEOUT }).await;
            }
            () = connection.read(&read_ahead) => {}
        }
    }
}

/// Ends an upgraded connection that may not come in. Browsers cannot read a failed handshake, but a close code they can.
pub async fn refuse(socket: TcpStream, close: Close) {
    configure_socket(&socket);
    send_close(&socket, close).await;
}

/// Why an upgraded connection ends that may come again: not now.
pub fn overload_close() -> Close {
    Close::Overload { retry_ms: room::retry_ms() }
}

struct Connection<'a> {
    subscription: &'a Subscription,
    socket: &'a TcpStream,
    context: VerbContext,
    slow_verbs: Arc<AtomicUsize>,
    deflate: bool,
}

impl Connection<'_> {
    /// Returns when the other side is gone; after a protocol error it waits for the writer to end the connection.
    async fn read(&self, read_ahead: &[u8]) {
        let mut reader = FrameReader::new(self.deflate);
        let mut received: std::io::Result<_> = Ok(parse_frames(&mut reader, read_ahead));
        let mut reads = 0;
        loop {
            match received {
                Ok(incoming) => {
                    for incoming in incoming {
                        if self.handle_incoming(incoming).await.is_break() {
                            return std::future::pending().await;
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    reads = 0;
                    // Polled by hand: smaller than the runtime's own future for it, and it takes the place of the HTTP
                    // server's, whose task's memory the socket would keep else.
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

    /// Reads once, through a buffer on the stack: nothing is kept for a viewer who says nothing.
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

    /// `Break`: nothing more is read from this client.
    async fn handle_incoming(&self, incoming: Result<IncomingMessage, BadFrame>) -> std::ops::ControlFlow<()> {
        let member = self.subscription.member();
        let end = match incoming {
            Ok(IncomingMessage::Text(text)) => {
                // Boxed: the futures of answers would else be part of every idle connection.
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
            Ok(IncomingMessage::Binary) | Err(_) => Close::BadFrame,
        };
        member.close(end);
        std::ops::ControlFlow::Break(())
    }

    /// Who asks faster than the answers are taken is read slower. One who takes none at all is ended by the writer.
    async fn wait_for_queue_space(&self) {
        while self.subscription.member().is_queue_half_full() {
            tokio::time::sleep(QUEUE_POLL_INTERVAL).await;
        }
    }

    async fn handle_text(&self, text: String) {
        let member = self.subscription.member();
        let frame = ClientFrame::parse(&text);
        if !frame.verb.as_ref().is_ok_and(Verb::is_slow) {
            if let Some(reply) = verbs::execute(&self.context, frame).await {
                member.send(reply);
            }
            return;
        }
        let Some(permit) = SlowVerbPermit::try_acquire(&self.slow_verbs) else {
            member.send(server::reply_refused(frame.reference.as_deref(), &verbs::too_many_slow_verbs()));
            return;
        };
        let (context, member) = (self.context.clone(), member.clone());
        self.context.app.tasks().spawn(async move {
            let _permit = permit;
            if let Some(reply) = verbs::execute(&context, frame).await {
                member.send(reply);
            }
        });
    }
}

/// One of a connection's few slow verbs; dropped when it is done.
struct SlowVerbPermit(Arc<AtomicUsize>);

impl SlowVerbPermit {
    fn try_acquire(running: &Arc<AtomicUsize>) -> Option<Self> {
        // Only this connection's task takes permits, so nothing comes between the look and the count.
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

/// The messages that end within `bytes`, and the error that ends everything, if there is one.
fn parse_frames(reader: &mut FrameReader, mut bytes: &[u8]) -> Vec<Result<IncomingMessage, BadFrame>> {
    std::iter::from_fn(|| reader.next(&mut bytes).transpose())
        .scan(false, |ended, incoming| (!std::mem::replace(ended, incoming.is_err())).then_some(incoming))
        .collect()
}

/// A small send buffer: what waits for a slow viewer waits in the room, shared, and not once each in the kernel.
fn configure_socket(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
    let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
    let _ = socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
}

async fn send_close(socket: &TcpStream, close: Close) {
    // A fresh socket takes a frame this small at once.
    if socket.try_write(Frame::close(close).bytes()).is_ok() {
        let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Write);
        drain_socket(socket, CLOSE_TIMEOUT).await;
    }
}

/// Reads and forgets until the client has ended its side too, so that our last words are not lost to a reset.
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

/// A function of its own, so that its buffer is no part of any waiting connection.
fn discard_input(socket: &TcpStream) -> std::io::Result<usize> {
    socket.try_read(&mut [0; READ_BUFFER_BYTES])
}

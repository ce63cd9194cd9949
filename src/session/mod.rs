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
use crate::protocol::{BadFrame, ClientFrame, Close, Frame, FrameReader, Incoming, Logged, Verb, server};
use crate::room::{self, Joining, Room, Seat};

pub use crate::room::Position;
pub use verbs::Context;

const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// What the kernel takes ahead of what it can send: no more than this, so that a slow viewer gets values of now.
const UNSENT_BYTES: u32 = 16 * 1024;
const READ_BYTES: usize = 4 * 1024;
/// Reads before others on this worker get their turn.
const READS_PER_YIELD: usize = 8;
/// How often we look whether a client has taken some of its answers.
const FULL_PAUSE: Duration = Duration::from_millis(5);
const SLOW_VERBS_MAX: usize = 8;
/// How long after our goodbye we wait for the client's.
const GOODBYE: Duration = Duration::from_secs(2);
/// The same when the server stops, which waits for everybody.
const GOODBYE_AT_STOP: Duration = Duration::from_millis(500);

/// A connection that was upgraded, and who it is.
pub struct Arrival {
    pub socket: TcpStream,
    /// What came in behind the request.
    pub read_ahead: Bytes,
    pub actor: Actor,
    pub session: Option<String>,
    pub position: Option<Position>,
    /// What happened after that, as far as the broker's history knows.
    pub missed: Vec<(u64, Logged)>,
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
pub fn serve<H: Send>(app: App, room: Arc<Room>, arrival: Arrival, held: H) -> impl Future<Output = ()> + Send {
    let Arrival { socket, read_ahead, actor, session, position, missed, you, deflate, overlay } = arrival;
    set_up(&socket);
    let socket = Arc::new(socket);
    let joining = Joining { socket: socket.clone(), actor, session, position, missed, you, deflate, overlay };
    let seated = room.join(joining);
    match &seated {
        Ok(seat) => {
            app.joined(seat.member());
            if let Some(close) = app.sends_away(seat.member()) {
                // The ban came while this one was coming in, and found nobody to send away.
                seat.member().close(close);
            }
        }
        Err(close) => app.rooms().tally.closes.count(*close),
    }
    async move {
        let _held = &held;
        let seat = match &seated {
            Ok(seat) => seat,
            Err(close) => return say_goodbye(&socket, *close).await,
        };
        let context = Context { app, member: seat.member().clone() };
        let connection = Connection { seat, socket: &socket, context, slow_verbs: Arc::default(), deflate };
        tokio::select! {
            biased;
            // The writer is done with this socket: it was closed, for whatever reason.
            () = seat.tend() => {
                let stops = connection.context.app.stopping().is_cancelled();
                drain(&socket, if stops { GOODBYE_AT_STOP } else { GOODBYE }).await;
            }
            () = connection.read(&read_ahead) => {}
        }
    }
}

/// Ends an upgraded connection that may not come in. Browsers cannot read a failed handshake, but a close code they can.
pub async fn refuse(socket: TcpStream, close: Close) {
    set_up(&socket);
    say_goodbye(&socket, close).await;
}

/// Why an upgraded connection ends that may come again: not now.
pub fn not_now() -> Close {
    Close::Overload { retry_ms: room::retry_ms() }
}

struct Connection<'a> {
    seat: &'a Seat,
    socket: &'a TcpStream,
    context: Context,
    slow_verbs: Arc<AtomicUsize>,
    deflate: bool,
}

impl Connection<'_> {
    /// Returns when the other side is gone; after a protocol error it waits for the writer to end the connection.
    async fn read(&self, read_ahead: &[u8]) {
        let mut reader = FrameReader::new(self.deflate);
        let mut taken: std::io::Result<_> = Ok(parse(&mut reader, read_ahead));
        let mut reads = 0;
        loop {
            match taken {
                Ok(incoming) => {
                    for incoming in incoming {
                        if self.take(incoming).await.is_break() {
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
            taken = self.pull(&mut reader);
        }
    }

    /// Reads once, through a buffer on the stack: nothing is kept for a viewer who says nothing.
    fn pull(&self, reader: &mut FrameReader) -> std::io::Result<Vec<Result<Incoming, BadFrame>>> {
        let mut buffer = [0; READ_BYTES];
        match self.socket.try_read(&mut buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            length => {
                self.seat.heard();
                Ok(parse(reader, &buffer[..length]))
            }
        }
    }

    /// `Break`: nothing more is read from this client.
    async fn take(&self, incoming: Result<Incoming, BadFrame>) -> std::ops::ControlFlow<()> {
        let member = self.seat.member();
        let end = match incoming {
            Ok(Incoming::Text(text)) => {
                // Boxed: the futures of answers would else be part of every idle connection.
                Box::pin(async {
                    self.leave_time_to_read().await;
                    self.answer(text).await;
                })
                .await;
                return std::ops::ControlFlow::Continue(());
            }
            Ok(Incoming::Ping(payload)) => {
                member.reply(Frame::pong(&payload));
                return std::ops::ControlFlow::Continue(());
            }
            Ok(Incoming::Pong) => return std::ops::ControlFlow::Continue(()),
            Ok(Incoming::Close(_)) => Close::Bye,
            Ok(Incoming::Binary) | Err(_) => Close::BadFrame,
        };
        member.close(end);
        std::ops::ControlFlow::Break(())
    }

    /// Who asks faster than the answers are taken is read slower. One who takes none at all is ended by the writer.
    async fn leave_time_to_read(&self) {
        while self.seat.member().has_much_to_take() {
            tokio::time::sleep(FULL_PAUSE).await;
        }
    }

    async fn answer(&self, text: String) {
        let member = self.seat.member();
        let frame = ClientFrame::parse(&text);
        if !frame.verb.as_ref().is_ok_and(Verb::is_slow) {
            if let Some(reply) = verbs::answer(&self.context, frame).await {
                member.reply(reply);
            }
            return;
        }
        let Some(permit) = Permit::take(&self.slow_verbs) else {
            member.reply(server::reply_refused(frame.reference.as_deref(), &verbs::too_many()));
            return;
        };
        let (context, member) = (self.context.clone(), member.clone());
        self.context.app.tasks().spawn(async move {
            let _permit = permit;
            if let Some(reply) = verbs::answer(&context, frame).await {
                member.reply(reply);
            }
        });
    }
}

/// One of a connection's few slow verbs; dropped when it is done.
struct Permit(Arc<AtomicUsize>);

impl Permit {
    fn take(running: &Arc<AtomicUsize>) -> Option<Self> {
        // Only this connection's task takes permits, so nothing comes between the look and the count.
        (running.load(Ordering::Acquire) < SLOW_VERBS_MAX).then(|| {
            running.fetch_add(1, Ordering::AcqRel);
            Self(running.clone())
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The messages that end within `bytes`, and the error that ends everything, if there is one.
fn parse(reader: &mut FrameReader, mut bytes: &[u8]) -> Vec<Result<Incoming, BadFrame>> {
    std::iter::from_fn(|| reader.next(&mut bytes).transpose())
        .scan(false, |ended, incoming| (!std::mem::replace(ended, incoming.is_err())).then_some(incoming))
        .collect()
}

/// A small send buffer: what waits for a slow viewer waits in the room, shared, and not once each in the kernel.
fn set_up(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
    let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
    let _ = socket.set_tcp_notsent_lowat(UNSENT_BYTES);
}

async fn say_goodbye(socket: &TcpStream, close: Close) {
    // A fresh socket takes a frame this small at once.
    if socket.try_write(Frame::close(close).bytes()).is_ok() {
        let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Write);
        drain(socket, GOODBYE).await;
    }
}

/// Reads and forgets until the client has ended its side too, so that our last words are not lost to a reset.
async fn drain(socket: &TcpStream, patience: Duration) {
    let until_end = async {
        while socket.readable().await.is_ok() {
            match forget(socket) {
                Ok(0) => return,
                Err(error) if error.kind() != ErrorKind::WouldBlock => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let _ = tokio::time::timeout(patience, until_end).await;
}

/// A function of its own, so that its buffer is no part of any waiting connection.
fn forget(socket: &TcpStream) -> std::io::Result<usize> {
    socket.try_read(&mut [0; READ_BYTES])
}

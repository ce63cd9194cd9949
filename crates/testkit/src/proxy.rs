//! A TCP proxy that simulates a bad network: it passes, resets, blocks, drops, delays or slows the bytes of its connections.
//!
//! Every connection has two copying loops, one per direction. They watch the mode and follow a change even during a read.
//! Dropping the proxy closes its port and every connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    /// Connections are reset, new ones too.
    Cut,
    /// No byte moves and no side is notified, like a phone in a tunnel.
    BlackHole,
    /// This many bytes per second and connection from the server to the client; the other direction passes.
    Slow(usize),
    /// About half of the connections answer later by this time, so responses arrive in another order than the requests.
    Delay(Duration),
    /// Bytes in this direction are dropped; the other direction passes. TCP cannot continue after a gap, so a connection that
    /// lost bytes is reset when the mode ends.
    Lose(Way),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    upstream: watch::Sender<SocketAddr>,
    open: Arc<AtomicUsize>,
    /// Connections with a lower number are lost.
    lost: watch::Sender<usize>,
    /// Connections with a lower number have lost their server, and the client is not notified.
    gone: watch::Sender<usize>,
    /// The same for the connection that the server sees with this address.
    gone_one: watch::Sender<Option<SocketAddr>>,
    made: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(upstream: SocketAddr) -> Proxy {
        Proxy::with_buffer(upstream, None).await
    }

    /// With a small kernel buffer towards the server, so that the server notices a slow client after a few KiB and not after
    /// the megabytes that the kernel would buffer.
    pub async fn narrow(upstream: SocketAddr) -> Proxy {
        Proxy::with_buffer(upstream, Some(4096)).await
    }

    async fn with_buffer(upstream: SocketAddr, buffer_bytes: Option<u32>) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let (mode, mode_seen) = watch::channel(Mode::Pass);
        let (upstream, upstream_seen) = watch::channel(upstream);
        let open = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&open);
        let (lost, lost_seen) = watch::channel(0);
        let (gone, gone_seen) = watch::channel(0);
        let (gone_one, gone_one_seen) = watch::channel(None);
        let made = Arc::new(AtomicUsize::new(0));
        let numbers = Arc::clone(&made);
        let accepting = tokio::spawn(async move {
            let mut links = JoinSet::new();
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let server = *upstream_seen.borrow();
                let counted = Counted::new(&counter);
                let mode = mode_seen.clone();
                let number = numbers.fetch_add(1, Ordering::SeqCst);
                let (lost, gone, gone_one) = (lost_seen.clone(), gone_seen.clone(), gone_one_seen.clone());
                let ends = Ends { number, lost, gone, gone_one };
                links.spawn(async move {
                    let _counted = counted;
                    // An error ends the connection; a client would see nothing else of it.
                    let _ = link(client, server, mode, ends, buffer_bytes).await;
                });
                while links.try_join_next().is_some() {}
            }
        });
        Proxy { address, mode, upstream, open, lost, gone, gone_one, made, accepting }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Resets every connection and every new one, until `restore`.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Keeps connections open and accepts new ones, but moves no bytes until `restore`. Then the waiting bytes continue.
    pub fn black_hole(&self) {
        self.mode.send_replace(Mode::BlackHole);
    }

    /// The current connections never move a byte again, and no side is notified; new connections pass. This happens when the
    /// machine behind an address is replaced.
    pub fn lose(&self) {
        self.lost.send_replace(self.made.load(Ordering::SeqCst));
    }

    /// Delays the responses of about half of the connections by this time.
    pub fn delay(&self, time: Duration) {
        self.mode.send_replace(Mode::Delay(time));
    }

    /// Makes the current connections half-open: their server sides are closed, and their clients are not notified.
    pub fn half_open(&self) {
        self.gone.send_replace(self.made.load(Ordering::SeqCst));
    }

    /// The same for the one connection that the server sees with this address.
    pub fn half_open_one(&self, known_as: SocketAddr) {
        self.gone_one.send_replace(Some(known_as));
    }

    /// Requests arrive and are processed, but the responses are lost, until `restore`: then these connections are reset.
    pub fn lose_replies(&self) {
        self.mode.send_replace(Mode::Lose(Way::ToClient));
    }

    /// Requests are lost until `restore`: then these connections are reset.
    pub fn lose_requests(&self) {
        self.mode.send_replace(Mode::Lose(Way::ToServer));
    }

    pub fn slow(&self, bytes_per_second: usize) {
        assert!(bytes_per_second > 0, "use black_hole() for no bytes at all");
        self.mode.send_replace(Mode::Slow(bytes_per_second));
    }

    pub fn restore(&self) {
        self.mode.send_replace(Mode::Pass);
    }

    /// Sends new connections to another server, such as one that was restarted on another port.
    pub fn aim(&self, upstream: SocketAddr) {
        self.upstream.send_replace(upstream);
    }

    /// The number of open connections.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(open: &Arc<AtomicUsize>) -> Counted {
        open.fetch_add(1, Ordering::SeqCst);
        Counted(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The events that end one connection and not the later ones.
struct Ends {
    number: usize,
    lost: watch::Receiver<usize>,
    gone: watch::Receiver<usize>,
    gone_one: watch::Receiver<Option<SocketAddr>>,
}

impl Ends {
    async fn come_one(gone: &mut watch::Receiver<Option<SocketAddr>>, known_as: SocketAddr) {
        if gone.wait_for(|gone| *gone == Some(known_as)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn come(below: &mut watch::Receiver<usize>, number: usize) {
        if below.wait_for(|below| number < *below).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn link(
    client: TcpStream,
    server: SocketAddr,
    mode: watch::Receiver<Mode>,
    mut ends: Ends,
    buffer_bytes: Option<u32>,
) -> io::Result<()> {
    let opened = tokio::select! {
        () = until(mode.clone(), |mode| mode == Mode::Cut) => {
            return client.set_zero_linger();
        }
        opened = async {
            until(mode.clone(), |mode| matches!(mode, Mode::Pass | Mode::Slow(_) | Mode::Delay(_) | Mode::Lose(_))).await;
            connect(server, buffer_bytes).await
        } => opened,
    };
    let server = opened?;
    let known_as = server.local_addr()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let ended = tokio::select! {
        () = until(mode.clone(), |mode| mode == Mode::Cut) => None,
        both = async {
            let up = pump(&mut from_client, &mut to_server, mode.clone(), Way::ToServer);
            let down = pump(&mut from_server, &mut to_client, mode.clone(), Way::ToClient);
            tokio::select! {
                both = async { tokio::try_join!(up, down) } => Ended::By(both.map(|_| ())),
                () = Ends::come(&mut ends.lost, ends.number) => std::future::pending().await,
                () = Ends::come(&mut ends.gone, ends.number) => Ended::ServerGone,
                () = Ends::come_one(&mut ends.gone_one, known_as) => Ended::ServerGone,
            }
        } => Some(both),
    };
    match ended {
        Some(Ended::ServerGone) => {
            drop((from_server, to_server));
            let mut discarded = [0; 1024];
            tokio::select! {
                () = until(mode, |mode| mode == Mode::Cut) => {}
                () = async { while from_client.read(&mut discarded).await.is_ok_and(|read| read > 0) {} } => {}
            }
            return from_client.as_ref().set_zero_linger();
        }
        // A connection that lost bytes is reset below.
        Some(Ended::By(Err(error))) if error.kind() == io::ErrorKind::ConnectionAborted => {}
        Some(Ended::By(both)) => return both,
        None => {}
    }
    // From here closing the socket resets it. An ordinary end must not do that, because bytes in flight would be lost.
    from_client.as_ref().set_zero_linger()?;
    from_server.as_ref().set_zero_linger()
}

enum Ended {
    By(io::Result<()>),
    ServerGone,
}

async fn connect(server: SocketAddr, buffer_bytes: Option<u32>) -> io::Result<TcpStream> {
    let socket = if server.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bytes) = buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.connect(server).await
}

/// Copies bytes in one direction. It passes on the end of one side, so a half-closed connection stays half-closed.
async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    way: Way,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut has_lost_bytes = false;
    let is_late = rand::random_bool(0.5);
    loop {
        until(mode.clone(), |mode| mode != Mode::BlackHole).await;
        let now = *mode.borrow_and_update();
        if has_lost_bytes && now != Mode::Lose(way) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let bytes_per_second = match now {
            Mode::Slow(bytes) if way == Way::ToClient => Some(bytes),
            _ => None,
        };
        let part = bytes_per_second.map_or(buffer.len(), |bytes| (bytes / 10).clamp(1, buffer.len()));
        let read = tokio::select! {
            read = from.read(&mut buffer[..part]) => read?,
            _ = mode.changed() => continue,
        };
        if read == 0 {
            return to.shutdown().await;
        }
        if now == Mode::Lose(way) {
            has_lost_bytes = true;
            continue;
        }
        if let (Mode::Delay(time), Way::ToClient, true) = (now, way, is_late) {
            tokio::time::sleep(time).await;
        }
        // Bytes that were read when the black hole began arrive after its end.
        until(mode.clone(), |mode| mode != Mode::BlackHole).await;
        to.write_all(&buffer[..read]).await?;
        if let Some(bytes) = bytes_per_second {
            let pause = Duration::from_secs_f64(read as f64 / bytes as f64);
            let _ = tokio::time::timeout(pause, mode.changed()).await;
        }
    }
}

/// Waits for a mode; forever when the proxy was dropped, because its tasks are aborted then.
async fn until(mut mode: watch::Receiver<Mode>, wanted: impl Fn(Mode) -> bool) {
    if mode.wait_for(|mode| wanted(*mode)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

//! One simulated viewer: its token, its current connection, and how it reads.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::invariants::ViewerState;
use crate::requests::RequestId;

/// A receive buffer this small is full at once when the viewer does not read.
const SMALL_BUFFER: usize = 4 * 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionStage {
    /// Not connected: not yet, or waiting to reconnect.
    Disconnected,
    Connecting,
    /// The handshake is under way.
    Upgrading,
    /// Upgraded, but without a hello yet.
    AwaitingHello,
    Live,
    /// Gone permanently, by itself or because the server said so.
    Left,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadBehavior {
    Normal,
    /// Receives the hello and then nothing more, until the TCP window is closed.
    Stopped,
    /// Reads this many bytes five times a second.
    Slow(usize),
}

#[derive(Debug)]
pub struct SimulatedViewer {
    pub room: u32,
    /// Without a token the viewer is an anonymous user.
    pub token: Option<Box<str>>,
    /// The admission ticket of the last close, for the next connection.
    pub ticket: Option<Box<str>>,
    /// A random id of its own: the newest connection with it replaces the earlier ones.
    pub session: u64,
    pub stage: ConnectionStage,
    pub read_behavior: ReadBehavior,
    /// The viewer reads or has read slowly: a latency that it measured would be its own fault.
    pub is_slow_reader: bool,
    pub state: ViewerState,
    /// The viewer has received everything since this time, in µs of the simulation's clock.
    pub complete_since: u64,
    /// When this connection was due, in µs of the simulation's clock.
    pub connect_due: u64,
    /// Connection attempts since the last hello.
    pub attempts: u32,
    /// The viewer reconnects after a loss and has no hello yet.
    pub is_returning: bool,
    /// Requests that have no reply yet.
    pub pending_requests: Vec<RequestId>,
    /// Purchases whose reply was lost with a connection.
    pub unsettled_purchases: Vec<usize>,
    pub socket: Option<TcpStream>,
    /// An incomplete frame.
    pub partial_frame: Vec<u8>,
    /// The beginning of a fragmented message.
    pub fragments: Vec<u8>,
    /// Whether that message is compressed.
    pub fragments_deflated: bool,
    unsent: Vec<u8>,
}

impl SimulatedViewer {
    pub fn new(room: u32, token: Option<Box<str>>, session: u64) -> Self {
        Self {
            room,
            token,
            ticket: None,
            session,
            stage: ConnectionStage::Disconnected,
            read_behavior: ReadBehavior::Normal,
            is_slow_reader: false,
            state: ViewerState::default(),
            complete_since: 0,
            connect_due: 0,
            attempts: 0,
            is_returning: false,
            pending_requests: Vec::new(),
            unsettled_purchases: Vec::new(),
            socket: None,
            partial_frame: Vec::new(),
            fragments: Vec::new(),
            fragments_deflated: false,
            unsent: Vec::new(),
        }
    }

    pub fn is_connected(&self) -> bool {
        matches!(self.stage, ConnectionStage::AwaitingHello | ConnectionStage::Live)
    }

    /// Begins to connect. The result is known when the socket is writable.
    pub fn connect(&mut self, target: SocketAddr, source: Option<IpAddr>) -> io::Result<&mut TcpStream> {
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if self.read_behavior != ReadBehavior::Normal {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
        }
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&target.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => Err(error),
            _ => {
                self.stage = ConnectionStage::Connecting;
                self.state.begin_connection();
                Ok(self.socket.insert(TcpStream::from_std(socket.into())))
            }
        }
    }

    /// Resets the connection at once, like a phone that loses its network.
    pub fn reset(&mut self) {
        if let Some(socket) = self.socket.take() {
            let _ = socket2::SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO));
        }
        self.close();
    }

    /// Closes the connection in order.
    pub fn close(&mut self) {
        self.socket = None;
        self.stage = ConnectionStage::Disconnected;
        self.partial_frame = Vec::new();
        self.fragments = Vec::new();
        self.unsent = Vec::new();
    }

    /// Reads once; `None` when there is no data now.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(socket) = &mut self.socket else { return Ok(None) };
        loop {
            match socket.read(buffer) {
                Ok(length) => return Ok(Some(length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends as much as the socket takes, and keeps the rest.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unsent.extend_from_slice(bytes);
        self.flush()
    }

    pub fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        while !self.unsent.is_empty() {
            match socket.write(&self.unsent) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent = Vec::new();
        Ok(())
    }
}

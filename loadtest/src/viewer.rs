//! One simulated viewer: who they are, the link they have just now, and how they read.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::invariants::ViewerState;
use crate::requests::RequestId;

/// A receive buffer this small fills at once when nobody reads.
const SMALL_BUFFER: usize = 4 * 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionStage {
    /// Not there: not yet come, or waiting to come back.
    Disconnected,
    Connecting,
    /// The handshake is on its way.
    Upgrading,
    /// Upgraded, no hello yet.
    AwaitingHello,
    Live,
    /// Gone for good: by itself, or because the server said so.
    Left,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadBehavior {
    Normal,
    /// Takes hello and then nothing more, until the window is shut.
    Stopped,
    /// So many bytes, five times a second.
    Slow(usize),
}

#[derive(Debug)]
pub struct SimulatedViewer {
    pub room: u32,
    /// Without one it is a guest.
    pub token: Option<Box<str>>,
    /// Its own random id: the newest connection with it wins.
    pub session: u64,
    pub stage: ConnectionStage,
    pub read_behavior: ReadBehavior,
    /// Reads badly, or did: what it measures is its own fault.
    pub is_slow_reader: bool,
    pub state: ViewerState,
    /// Has been told everything since then, in µs of the crowd's clock.
    pub complete_since: u64,
    /// When this link was to begin, in µs of the crowd's clock.
    pub connect_due: u64,
    /// Links tried since the last hello.
    pub attempts: u32,
    /// Came back after a loss, and no hello yet.
    pub is_returning: bool,
    /// What the server has not answered.
    pub pending_requests: Vec<RequestId>,
    /// Purchases whose answer was lost with a link.
    pub unsettled_purchases: Vec<usize>,
    pub socket: Option<TcpStream>,
    /// An incomplete frame.
    pub partial_frame: Vec<u8>,
    /// The beginning of a message that comes in parts.
    pub fragments: Vec<u8>,
    /// And whether that is deflated.
    pub fragments_deflated: bool,
    unsent: Vec<u8>,
}

impl SimulatedViewer {
    pub fn new(room: u32, token: Option<Box<str>>, session: u64) -> Self {
        Self {
            room,
            token,
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

    /// Begins to connect; the outcome comes when the socket is writable.
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

    /// Ends the link at once, like a phone that loses its network.
    pub fn reset(&mut self) {
        if let Some(socket) = self.socket.take() {
            let _ = socket2::SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO));
        }
        self.close();
    }

    /// Ends the link in order.
    pub fn close(&mut self) {
        self.socket = None;
        self.stage = ConnectionStage::Disconnected;
        self.partial_frame = Vec::new();
        self.fragments = Vec::new();
        self.unsent = Vec::new();
    }

    /// Reads once; `None` when there is nothing now.
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

    /// Sends what the socket takes and keeps the rest.
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

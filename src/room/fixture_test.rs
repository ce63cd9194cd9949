//! Helpers for tests with real sockets: viewers of a room on loopback, and what they read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{JoinRequest, Room, StreamPosition, Subscription};
use crate::domain::{Actor, Event, Millis, Name, Role, UserId};
use crate::protocol::{Close, EncodedEvent, deflate};

/// What the server sent.
#[derive(Clone, PartialEq, Debug)]
pub enum ServerOutput {
    Text(Value),
    Ping,
    Pong,
    Close(u16),
    End,
    /// The stream ends inside a frame.
    Cut,
}

/// The client's end of a connection.
pub struct TestClient {
    pub socket: TcpStream,
    bytes: Vec<u8>,
    /// How many frames were deflated.
    pub deflated: usize,
}

impl TestClient {
    pub fn new(socket: TcpStream) -> Self {
        Self { socket, bytes: Vec::new(), deflated: 0 }
    }

    /// The next thing the server sent; fails the test when nothing arrives for ten seconds.
    pub async fn next(&mut self) -> ServerOutput {
        tokio::time::timeout(Duration::from_secs(10), self.read()).await.expect("the server sends something")
    }

    async fn read(&mut self) -> ServerOutput {
        loop {
            if let Some(output) = self.parse() {
                return output;
            }
            match self.socket.read_buf(&mut self.bytes).await {
                Ok(0) | Err(_) if self.bytes.is_empty() => return ServerOutput::End,
                Ok(0) | Err(_) => return ServerOutput::Cut,
                Ok(_) => {}
            }
        }
    }

    fn parse(&mut self) -> Option<ServerOutput> {
        let length_byte = usize::from(*self.bytes.get(1)?);
        assert!(length_byte < 128, "server frames are unmasked");
        let (head, length) = match length_byte {
            126 => (4, usize::from(u16::from_be_bytes(self.bytes.get(2..4)?.try_into().unwrap()))),
            127 => (10, u64::from_be_bytes(self.bytes.get(2..10)?.try_into().unwrap()) as usize),
            length_byte => (2, length_byte),
        };
        let payload = self.bytes.get(head..head + length)?.to_vec();
        let first = self.bytes[0];
        self.bytes.drain(..head + length);
        Some(match first {
            0x81 => ServerOutput::Text(serde_json::from_slice(&payload).expect("text is JSON")),
            0xc1 => {
                self.deflated += 1;
                let payload = deflate::decompress(&payload, 1 << 20).expect("deflate");
                ServerOutput::Text(serde_json::from_slice(&payload).expect("text is JSON"))
            }
            0x88 => ServerOutput::Close(u16::from_be_bytes([payload[0], payload[1]])),
            0x89 => ServerOutput::Ping,
            0x8a => ServerOutput::Pong,
            other => panic!("opcode {other:x}"),
        })
    }

    pub async fn text(&mut self) -> Value {
        loop {
            match self.next().await {
                ServerOutput::Text(value) => return value,
                ServerOutput::Ping | ServerOutput::Pong => {}
                other => panic!("{other:?} instead of text"),
            }
        }
    }

    /// Reads up to the close frame and the end of the stream. Returns the code.
    pub async fn close_code(&mut self) -> u16 {
        let code = loop {
            match self.next().await {
                ServerOutput::Close(code) => break code,
                ServerOutput::End | ServerOutput::Cut => panic!("aborted without a close frame"),
                _ => {}
            }
        };
        assert_eq!(self.next().await, ServerOutput::End);
        code
    }

    pub async fn send(&mut self, first: u8, payload: &[u8]) {
        self.socket.write_all(&Self::frame(first, payload)).await.unwrap();
    }

    /// A frame as a client writes it, masked with zeros.
    pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        frame
    }
}

/// The two ends of a connection. The client's receive buffer is small, so that a client that does not read blocks the
/// server soon.
pub async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = tokio::net::TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(8 * 1024).unwrap();
    let client = client.connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    server.set_nodelay(true).unwrap();
    SockRef::from(&server).set_send_buffer_size(16 * 1024).unwrap();
    (server, client)
}

pub fn actor(user: &str, role: Role) -> Actor {
    let (user, name) = (UserId::parse(user).unwrap(), Name::parse(user).unwrap());
    Actor { user, name, role, stream: None, expires_at: None, token: Default::default(), session: None }
}

/// A viewer in the room; its subscription is polled as a session would. Aborting the task leaves the room.
pub struct TestViewer {
    pub client: TestClient,
    pub member: Arc<super::Member>,
    pub task: JoinHandle<()>,
}

pub async fn join(
    room: &Arc<Room>,
    actor: Actor,
    session: Option<&str>,
    position: Option<StreamPosition>,
) -> TestViewer {
    join_as(room, |request| JoinRequest { actor, session: session.map(str::to_owned), position, ..request }).await
}

/// Joins with any change to the request.
pub async fn join_as(room: &Arc<Room>, change: impl FnOnce(JoinRequest) -> JoinRequest) -> TestViewer {
    let (server, client) = pair().await;
    let request = change(JoinRequest {
        socket: Arc::new(server),
        actor: actor("anonymous", Role::Anonymous),
        session: None,
        position: None,
        missed: vec![],
        you: Bytes::from_static(b"{}"),
        deflate: false,
        is_uncounted: false,
    });
    let subscription: Subscription = room.join(request).unwrap_or_else(|close: Close| panic!("{close:?}"));
    let member = subscription.member().clone();
    let task = tokio::spawn(async move { subscription.run().await });
    TestViewer { client: TestClient::new(client), member, task }
}

pub async fn watch(room: &Arc<Room>) -> TestViewer {
    let mut viewer = join(room, actor("anonymous", Role::Anonymous), None, None).await;
    assert_eq!(viewer.client.text().await["t"], "hello");
    viewer
}

pub fn at(epoch: &str, seq: u64) -> StreamPosition {
    StreamPosition { epoch: epoch.into(), seq }
}

pub fn chat(text: &str) -> EncodedEvent {
    let event = Event::Announced { text: text.into(), from: (&actor("host", Role::Host)).into() };
    EncodedEvent { is_urgent: false, ..EncodedEvent::new(1, &event) }
}

pub fn urgent() -> EncodedEvent {
    EncodedEvent::new(1, &Event::Unpinned {})
}

pub fn seqs(frame: &Value) -> Vec<u64> {
    frame["events"]
        .as_array()
        .map(|all| all.iter().map(|event| event["seq"].as_u64().unwrap()).collect())
        .unwrap_or_default()
}

/// Waits for something that other tasks are about to do.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("never: {what}");
}

/// Advances the manual clock until the condition is true.
pub async fn run_until(clock: &crate::clock::Clock, step: Millis, what: &str, mut done: impl FnMut() -> bool) {
    until(what, || {
        clock.advance(step);
        done()
    })
    .await;
}

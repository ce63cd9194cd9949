//! The live socket: one WebSocket connection to a stream.
//!
//! [`LiveSocket`] sends and receives text. [`LiveConnection`] also parses each frame and checks that the events are
//! continuous.

use std::fmt;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::position::ClientPosition;

/// How to join a stream. The default watches as an anonymous user, from the newest event.
#[derive(Debug, Clone, Default)]
pub struct JoinOptions {
    /// Without a token the connection may only watch.
    pub token: Option<String>,
    /// The position to resume from.
    pub position: Option<ClientPosition>,
    /// The client's own id: the newest connection with it replaces the earlier ones.
    pub session: Option<String>,
    /// The admission ticket of a close with 4013; see [`ConnectionEnd::admission_ticket`].
    pub ticket: Option<String>,
    /// More headers of the handshake, such as the cookie and the `Origin` that a browser sends.
    pub headers: Vec<(String, String)>,
}

impl JoinOptions {
    pub fn with_token(token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..Self::default() }
    }

    fn query(&self) -> String {
        let mut query = Vec::new();
        query.extend(self.token.iter().map(|token| format!("token={token}")));
        query.extend(self.position.iter().map(|at| format!("epoch={}&seq={}", at.epoch, at.seq)));
        query.extend(self.session.iter().map(|session| format!("session={session}")));
        query.extend(self.ticket.iter().map(|ticket| format!("ticket={ticket}")));
        query.join("&")
    }
}

/// Why a connection gives no more frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// The server answered the handshake with this HTTP status instead of an upgrade.
    Refused { status: u16, body: String },
    /// The server sent a close frame. The code is 1005 when the frame had none.
    Closed { code: u16, reason: String },
    /// The connection broke.
    Broken(String),
    /// Nothing came in time.
    TimedOut(&'static str),
    /// The server broke the protocol, for example by skipping an event.
    ProtocolViolation(String),
}

impl ConnectionEnd {
    /// What the reason of a close says: after how many milliseconds to come back.
    pub fn retry_ms(&self) -> Option<u64> {
        self.reason()?["retry_ms"].as_u64()
    }

    /// The ticket with which to come back, if the server kept a place.
    pub fn admission_ticket(&self) -> Option<String> {
        Some(self.reason()?["ticket"].as_str()?.to_owned())
    }

    fn reason(&self) -> Option<Value> {
        let ConnectionEnd::Closed { reason, .. } = self else { return None };
        serde_json::from_str(reason).ok()
    }
}

impl fmt::Display for ConnectionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectionEnd::Refused { status, body } => {
                write!(f, "the handshake was answered with status {status}: {body}")
            }
            ConnectionEnd::Closed { code, reason } => {
                write!(f, "the server closed the connection with {code}: {reason}")
            }
            ConnectionEnd::Broken(error) => write!(f, "the connection broke: {error}"),
            ConnectionEnd::TimedOut(what) => write!(f, "no {what} came in time"),
            ConnectionEnd::ProtocolViolation(what) => write!(f, "the server broke the protocol: {what}"),
        }
    }
}

impl std::error::Error for ConnectionEnd {}

/// A connection that sends and receives text frames and does not look into them.
#[derive(Debug)]
pub struct LiveSocket(WebSocketStream<TcpStream>);

impl LiveSocket {
    /// Connects to `base`, which is like `http://127.0.0.1:8080` or `http://127.0.0.1:8080/path`, and waits for the upgrade. It sets no
    /// deadline.
    pub async fn connect(base: &str, stream: &str, options: &JoinOptions) -> Result<Self, ConnectionEnd> {
        let base = base.trim_start_matches("http://").trim_end_matches('/');
        let host = base.split('/').next().unwrap_or(base);
        let url = format!("ws://{base}/v1/streams/{stream}/live?{}", options.query());
        let tcp = TcpStream::connect(host).await.map_err(broken)?;
        tcp.set_nodelay(true).map_err(broken)?;
        let mut request = url.into_client_request().map_err(broken)?;
        for (name, value) in &options.headers {
            let name = HeaderName::try_from(name).map_err(broken)?;
            request.headers_mut().insert(name, HeaderValue::try_from(value).map_err(broken)?);
        }
        let (socket, _) = client_async(request, tcp).await.map_err(|error| match error {
            tungstenite::Error::Http(response) => {
                let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
                ConnectionEnd::Refused { status: response.status().as_u16(), body }
            }
            error => broken(error),
        })?;
        Ok(Self(socket))
    }

    /// The next text frame. Dropping the future loses nothing, so it may be used in `select!`.
    pub async fn receive_text(&mut self) -> Result<Utf8Bytes, ConnectionEnd> {
        loop {
            if let Message::Text(text) = self.receive_message().await? {
                return Ok(text);
            }
        }
    }

    /// The next message of any kind that is no close: a text frame, a ping or a pong.
    pub async fn receive_message(&mut self) -> Result<Message, ConnectionEnd> {
        match self.0.next().await {
            Some(Ok(message @ (Message::Text(_) | Message::Ping(_) | Message::Pong(_)))) => Ok(message),
            Some(Ok(Message::Close(frame))) => Err(match frame {
                Some(frame) => ConnectionEnd::Closed { code: frame.code.into(), reason: frame.reason.to_string() },
                None => ConnectionEnd::Closed { code: 1005, reason: String::new() },
            }),
            Some(Ok(other)) => Err(ConnectionEnd::ProtocolViolation(format!("the server sent {other:?}"))),
            Some(Err(error)) => Err(broken(error)),
            None => Err(ConnectionEnd::Broken("the connection ended without a close frame".to_owned())),
        }
    }

    /// Sends a message, and waits until it is in the socket's buffer.
    pub async fn send(&mut self, message: Message) -> Result<(), ConnectionEnd> {
        self.0.send(message).await.map_err(broken)
    }

    /// Closes the connection with a close frame.
    pub async fn close(mut self) {
        let _ = self.0.close(None).await;
    }

    /// The WebSocket itself, for a task that sends while another one receives.
    pub fn into_inner(self) -> WebSocketStream<TcpStream> {
        self.0
    }
}

/// A connection that parses each frame and checks the continuity of its events.
#[derive(Debug)]
pub struct LiveConnection {
    socket: LiveSocket,
    position: ClientPosition,
    timeout: Duration,
}

impl LiveConnection {
    /// Joins the stream and returns the hello too. `limit` is the timeout of the join and of every later call.
    pub async fn join(
        base: &str,
        stream: &str,
        options: &JoinOptions,
        limit: Duration,
    ) -> Result<(Self, Value), ConnectionEnd> {
        let connecting = LiveSocket::connect(base, stream, options);
        let mut socket = timeout(limit, connecting).await.map_err(|_| ConnectionEnd::TimedOut("upgrade"))??;
        let hello = receive_json(&mut socket, limit).await?;
        if hello["t"] != "hello" {
            return Err(ConnectionEnd::ProtocolViolation(format!("the first frame is not a hello: {hello}")));
        }
        let position = ClientPosition::from_hello(&hello, options.position.as_ref()).map_err(|error| {
            ConnectionEnd::ProtocolViolation(format!("{error}, resuming from {:?}: {hello:#}", options.position))
        })?;
        Ok((Self { socket, position, timeout: limit }, hello))
    }

    /// The position after the last frame that was received.
    pub fn position(&self) -> &ClientPosition {
        &self.position
    }

    /// The next frame, checked for continuity.
    pub async fn next(&mut self) -> Result<Value, ConnectionEnd> {
        self.next_within(self.timeout).await
    }

    /// The same with another timeout.
    pub async fn next_within(&mut self, limit: Duration) -> Result<Value, ConnectionEnd> {
        let frame = receive_json(&mut self.socket, limit).await?;
        let before = self.position.clone();
        self.position
            .apply(&frame)
            .map_err(|error| ConnectionEnd::ProtocolViolation(format!("{error}, at position {before:?}: {frame:#}")))?;
        Ok(frame)
    }

    /// Sends a verb such as `{"do":"say","ref":"1","text":"hi"}`.
    pub async fn send(&mut self, verb: &Value) -> Result<(), ConnectionEnd> {
        self.send_message(Message::text(verb.to_string())).await
    }

    /// Sends any message, also one that a client must not send.
    pub async fn send_message(&mut self, message: Message) -> Result<(), ConnectionEnd> {
        let sending = self.socket.send(message);
        timeout(self.timeout, sending).await.map_err(|_| ConnectionEnd::TimedOut("send"))?
    }

    /// Closes the connection with a close frame.
    pub async fn close(self) {
        self.socket.close().await;
    }
}

async fn receive_json(socket: &mut LiveSocket, limit: Duration) -> Result<Value, ConnectionEnd> {
    let text = timeout(limit, socket.receive_text()).await.map_err(|_| ConnectionEnd::TimedOut("frame"))??;
    serde_json::from_str(&text)
        .map_err(|error| ConnectionEnd::ProtocolViolation(format!("a frame is no JSON ({error}): {text}")))
}

fn broken(error: impl std::fmt::Display) -> ConnectionEnd {
    ConnectionEnd::Broken(error.to_string())
}

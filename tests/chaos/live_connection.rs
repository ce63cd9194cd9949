//! One connection to the live socket for clients that expect it to fail: every failure is an `Err`, never a panic.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::position::Position;

/// Longer than any planned freeze of a node.
pub const SOCKET_TIMEOUT: Duration = Duration::from_secs(20);

pub struct LiveConnection {
    socket: WebSocketStream<TcpStream>,
    position: Position,
}

/// Why a connection gives no more frames.
#[derive(Debug)]
pub enum ConnectionEnd {
    /// The connection broke, or nothing came in time.
    Broken(String),
    /// The server broke the promise about the order of events.
    ProtocolViolation(String),
}

impl LiveConnection {
    /// Joins the stream, and returns the hello too.
    pub async fn open(base: &str, stream: &str, token: Option<&str>) -> Result<(LiveConnection, Value), ConnectionEnd> {
        let host = base.trim_start_matches("http://");
        let query = token.map(|token| format!("?token={token}")).unwrap_or_default();
        let url = format!("ws://{host}/v1/streams/{stream}/live{query}");
        let opening = async {
            let tcp = TcpStream::connect(host).await.map_err(|error| ConnectionEnd::Broken(error.to_string()))?;
            client_async(&url, tcp).await.map_err(|error| ConnectionEnd::Broken(error.to_string()))
        };
        let (mut socket, _) =
            timeout(SOCKET_TIMEOUT, opening).await.map_err(|_| ConnectionEnd::Broken("no upgrade".to_owned()))??;
        let hello = read(&mut socket).await?;
        if hello["t"] != "hello" {
            return Err(ConnectionEnd::ProtocolViolation(format!("the first frame is no hello: {hello}")));
        }
        let position = Position::from_hello(&hello, None).map_err(ConnectionEnd::ProtocolViolation)?;
        Ok((LiveConnection { socket, position }, hello))
    }

    /// The same for a viewer: it leaves when the node asks it to move, because there are other nodes.
    pub async fn watch(&mut self) -> Result<Value, ConnectionEnd> {
        let frame = self.next().await?;
        if frame["t"] == "moving" { Err(ConnectionEnd::Broken("sent to another node".to_owned())) } else { Ok(frame) }
    }

    /// The next frame, checked for gaps in the event log.
    pub async fn next(&mut self) -> Result<Value, ConnectionEnd> {
        let frame = read(&mut self.socket).await?;
        let before = self.position.clone();
        self.position.follow(&frame).map_err(|violation| {
            ConnectionEnd::ProtocolViolation(format!("{violation}, being at {before:?}: {frame}"))
        })?;
        Ok(frame)
    }

    pub async fn send(&mut self, verb: &Value) -> Result<(), ConnectionEnd> {
        let sent = timeout(SOCKET_TIMEOUT, self.socket.send(Message::text(verb.to_string()))).await;
        let sent = sent.map_err(|_| ConnectionEnd::Broken("not sent".to_owned()))?;
        sent.map_err(|error| ConnectionEnd::Broken(error.to_string()))
    }
}

async fn read(socket: &mut WebSocketStream<TcpStream>) -> Result<Value, ConnectionEnd> {
    loop {
        match timeout(SOCKET_TIMEOUT, socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => {
                return serde_json::from_str(&text)
                    .map_err(|error| ConnectionEnd::ProtocolViolation(format!("{error} in {text}")));
            }
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            Ok(Some(Ok(other))) => return Err(ConnectionEnd::Broken(format!("{other:?}"))),
            Ok(Some(Err(error))) => return Err(ConnectionEnd::Broken(error.to_string())),
            Ok(None) => return Err(ConnectionEnd::Broken("the end".to_owned())),
            Err(_) => return Err(ConnectionEnd::Broken("silence".to_owned())),
        }
    }
}

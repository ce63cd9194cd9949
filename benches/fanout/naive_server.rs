//! A naive server: axum, a task per viewer on a broadcast channel, and one frame for each event. Its buffers are as
//! small as possible; otherwise it would lose by memory alone. It supports as much of the protocol as the load test
//! needs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// How many events a task may be behind. A task that is further behind is disconnected, and the load test counts its
/// viewer as lost.
const BEHIND_MAX: usize = 1_024;

struct NaiveRoom {
    /// The last sequence number. It is locked while an event is sent, so that numbers and order agree.
    seq: Mutex<u64>,
    events: broadcast::Sender<Utf8Bytes>,
    messages: AtomicU64,
}

/// Serves until the process ends.
pub fn run(address: &str) -> anyhow::Result<()> {
    let address: SocketAddr = address.parse()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let room =
            NaiveRoom { seq: Mutex::new(0), events: broadcast::Sender::new(BEHIND_MAX), messages: AtomicU64::new(0) };
        let router = Router::new()
            .route("/v1/shop", get(|| async { "{}" }))
            .route("/v1/streams/{stream}/live", get(live))
            .with_state(Arc::new(room));
        let listener = TcpListener::bind(address).await?.tap_io(|socket| _ = socket.set_nodelay(true));
        Ok(axum::serve(listener, router).await?)
    })
}

async fn live(State(room): State<Arc<NaiveRoom>>, mut request: Request<Body>) -> Response {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY);
    let accept = key.and_then(|key| HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok());
    let (Some(upgrade), Some(accept)) = (upgrade, accept) else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let config = WebSocketConfig::default().read_buffer_size(512).write_buffer_size(0);
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        serve_viewer(&room, socket).await;
    });
    let head = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, head).into_response()
}

/// `None` ends the connection, whatever the reason.
async fn serve_viewer(room: &NaiveRoom, mut socket: WebSocketStream<TokioIo<Upgraded>>) -> Option<()> {
    let (mut events, hello) = room.join();
    socket.send(Message::Text(hello)).await.ok()?;
    loop {
        tokio::select! {
            event = events.recv() => socket.send(Message::Text(event.ok()?)).await.ok()?,
            message = socket.next() => {
                if let Message::Text(text) = message?.ok()? {
                    socket.send(Message::Text(room.publish(&text)?)).await.ok()?;
                }
            }
        }
    }
}

impl NaiveRoom {
    fn join(&self) -> (broadcast::Receiver<Utf8Bytes>, Utf8Bytes) {
        let seq = self.seq.lock().unwrap_or_else(|poison| poison.into_inner());
        let hello = format!(
            r#"{{"t":"hello","recovered":false,"now":{},"you":{{}},"epoch":"e1","seq":{seq},"events":[],"state":{{}}}}"#,
            now_ms()
        );
        (self.events.subscribe(), hello.into())
    }

    /// Broadcasts a message that is as long as one of Livesouk's, and returns the reply for its sender.
    fn publish(&self, verb: &str) -> Option<Utf8Bytes> {
        let verb: Value = serde_json::from_str(verb).ok()?;
        let (reference, text) = (verb["ref"].as_str()?, verb["text"].as_str()?);
        let number = self.messages.fetch_add(1, Ordering::Relaxed);
        let mut seq = self.seq.lock().unwrap_or_else(|poison| poison.into_inner());
        *seq += 1;
        let event = format!(
            concat!(
                r#"{{"t":"tick","seq":{seq},"events":[{{"seq":{seq},"at":{at},"type":"chat","#,
                r#""id":"0199e6a0-0000-7000-8000-{number:012}","#,
                r#""from":{{"id":"host-0","name":"host-0","role":"host"}},"text":{text}}}]}}"#
            ),
            seq = *seq,
            at = now_ms(),
            number = number,
            text = Value::from(text)
        );
        // It is no error when there are no viewers.
        let _ = self.events.send(event.into());
        Some(format!(r#"{{"t":"reply","ref":"{reference}","ok":{{}}}}"#).into())
    }
}

#[expect(clippy::disallowed_methods, reason = "the naive server is a program of its own and has no clock::Clock")]
fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

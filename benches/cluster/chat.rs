//! Who speaks and who listens: real sockets, and times from when a message was to be said.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use livesouk::domain::Role;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::nodes::{BenchNode, token};

type BenchSocket = WebSocketStream<TcpStream>;

const RECEIVE_TIMEOUT: Duration = Duration::from_secs(30);
const SENDERS: usize = 8;

pub async fn join(node: &BenchNode, show: &str, token: Option<&str>) -> anyhow::Result<BenchSocket> {
    let stream = TcpStream::connect(&node.address).await?;
    stream.set_nodelay(true)?;
    let token = token.map(|token| format!("?token={token}")).unwrap_or_default();
    let (mut socket, _) = client_async(format!("ws://{}/v1/streams/{show}/live{token}", node.address), stream).await?;
    socket.next().await.context("no hello")??;
    Ok(socket)
}

/// What was heard of so many messages.
pub struct ClusterChatResult {
    /// From when a message was to be said until each viewer had it, in microseconds.
    pub latency: Histogram<u64>,
    pub deliveries: u64,
    pub seconds: f64,
}

/// Speaks at one node, evenly at `rate` a second, and listens at another; ends when everybody has heard everything.
pub async fn talk(
    from: &BenchNode,
    to: &BenchNode,
    show: &str,
    viewers: usize,
    rate: u64,
    length: Duration,
) -> anyhow::Result<ClusterChatResult> {
    let count = rate * length.as_secs();
    let start = Instant::now() + Duration::from_millis(300) + Duration::from_millis(viewers as u64);
    let said_at = move |number: u64| start + Duration::from_nanos(1_000_000_000 / rate * number);
    let mut listening = JoinSet::new();
    for _ in 0..viewers {
        let mut socket = join(to, show, None).await?;
        listening.spawn(async move {
            let mut late = Vec::with_capacity(count as usize);
            while late.len() < count as usize {
                let message = timeout(RECEIVE_TIMEOUT, socket.next()).await.context("a message was not heard")?;
                let Message::Text(text) = message.context("a link ended")?? else { continue };
                let now = Instant::now();
                for part in text.split("\"number ").skip(1) {
                    let number = part.split('"').next().and_then(|number| number.parse().ok());
                    let number: u64 = number.context("a number")?;
                    late.push(now.saturating_duration_since(said_at(number)).as_micros() as u64);
                }
            }
            anyhow::Ok(late)
        });
    }
    let mut speaking = JoinSet::new();
    let speakers = SENDERS.min(rate as usize);
    for speaker in 0..speakers {
        let token = token(&format!("speaker-{speaker}"), Role::Viewer)?;
        let socket = join(from, show, Some(&token)).await?;
        speaking.spawn(send_messages(
            socket,
            (speaker as u64..count).step_by(speakers).map(move |n| (n, said_at(n))).collect(),
        ));
    }
    ensure!(Instant::now() < start, "the crowd came in too slowly");
    for said in speaking.join_all().await {
        said?;
    }
    let mut late = Histogram::new_with_bounds(1, 60_000_000, 3)?;
    for heard in listening.join_all().await {
        let heard = heard?;
        ensure!(heard.len() as u64 == count, "heard {} of {count}", heard.len());
        heard.into_iter().for_each(|micros| late.saturating_record(micros));
    }
    Ok(ClusterChatResult { latency: late, deliveries: count * viewers as u64, seconds: start.elapsed().as_secs_f64() })
}

/// Says each number at its time, whether or not the one before was answered.
async fn send_messages(socket: BenchSocket, plan: Vec<(u64, Instant)>) -> anyhow::Result<()> {
    let (mut out, mut answers) = socket.split();
    let count = plan.len();
    let reading = tokio::spawn(async move {
        let mut answered = 0;
        while answered < count {
            let message = timeout(RECEIVE_TIMEOUT, answers.next()).await.context("no answer")?;
            let Message::Text(text) = message.context("a link ended")?? else { continue };
            if text.starts_with(r#"{"t":"reply""#) {
                ensure!(text.contains(r#""ok""#), "refused: {text}");
                answered += 1;
            }
        }
        Ok(())
    });
    for (number, at) in plan {
        sleep_until(at).await;
        let verb = json!({"ref": number.to_string(), "do": "say", "text": format!("number {number}")});
        out.send(Message::text(verb.to_string())).await?;
    }
    reading.await?
}

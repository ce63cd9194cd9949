//! Senders and viewers on real sockets, and the latency from when each message was due.

use std::time::Duration;

use anyhow::{Context, ensure};
use client::{JoinOptions, LiveSocket};
use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::nodes::{BenchNode, sign_token};

const RECEIVE_TIMEOUT: Duration = Duration::from_secs(30);
const SENDERS: usize = 8;

/// Joins the stream and receives the hello.
async fn join(node: &BenchNode, stream: &str, token: Option<&str>) -> anyhow::Result<LiveSocket> {
    let options = JoinOptions { token: token.map(str::to_owned), ..JoinOptions::default() };
    let mut socket = LiveSocket::connect(&node.url, stream, &options).await?;
    socket.receive_text().await.context("no hello")?;
    Ok(socket)
}

/// The deliveries of a measured chat.
pub struct ClusterChatResult {
    /// From when a message was due until each viewer had it, in microseconds.
    pub latency: Histogram<u64>,
    pub deliveries: u64,
    pub seconds: f64,
}

/// Sends messages at one node, evenly at `rate` per second, and receives them at another. Ends when every viewer has
/// received everything.
pub async fn measure_chat(
    from: &BenchNode,
    to: &BenchNode,
    stream: &str,
    viewers: usize,
    rate: u64,
    length: Duration,
) -> anyhow::Result<ClusterChatResult> {
    let count = rate * length.as_secs();
    let start = Instant::now() + Duration::from_millis(300) + Duration::from_millis(viewers as u64);
    let due_at = move |number: u64| start + Duration::from_nanos(1_000_000_000 / rate * number);
    let mut receiving = JoinSet::new();
    for _ in 0..viewers {
        let mut socket = join(to, stream, None).await?;
        receiving.spawn(async move {
            let mut latency = Vec::with_capacity(count as usize);
            while latency.len() < count as usize {
                let text =
                    timeout(RECEIVE_TIMEOUT, socket.receive_text()).await.context("a message was not received")??;
                let now = Instant::now();
                for part in text.split("\"number ").skip(1) {
                    let number = part.split('"').next().and_then(|number| number.parse().ok());
                    let number: u64 = number.context("a number")?;
                    latency.push(now.saturating_duration_since(due_at(number)).as_micros() as u64);
                }
            }
            anyhow::Ok(latency)
        });
    }
    let mut sending = JoinSet::new();
    let senders = SENDERS.min(rate as usize);
    for sender in 0..senders {
        let token = sign_token(&format!("sender-{sender}"), "viewer")?;
        let socket = join(from, stream, Some(&token)).await?;
        sending.spawn(send_messages(
            socket,
            (sender as u64..count).step_by(senders).map(move |n| (n, due_at(n))).collect(),
        ));
    }
    ensure!(Instant::now() < start, "the viewers connected too slowly");
    for sent in sending.join_all().await {
        sent?;
    }
    let mut latency = Histogram::new_with_bounds(1, 60_000_000, 3)?;
    for received in receiving.join_all().await {
        let received = received?;
        ensure!(received.len() as u64 == count, "received {} of {count}", received.len());
        received.into_iter().for_each(|micros| latency.saturating_record(micros));
    }
    Ok(ClusterChatResult { latency, deliveries: count * viewers as u64, seconds: start.elapsed().as_secs_f64() })
}

/// Sends each number at its time, whether or not the one before was acknowledged.
async fn send_messages(socket: LiveSocket, plan: Vec<(u64, Instant)>) -> anyhow::Result<()> {
    let (mut out, mut replies) = socket.into_inner().split();
    let count = plan.len();
    let reading = tokio::spawn(async move {
        let mut answered = 0;
        while answered < count {
            let message = timeout(RECEIVE_TIMEOUT, replies.next()).await.context("no reply")?;
            let Message::Text(text) = message.context("a connection ended")?? else { continue };
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

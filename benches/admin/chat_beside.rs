//! The chat of a show while a node converts one photo after the other: from when a message was due until every viewer has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use client::{JoinOptions, LiveSocket};
use futures_util::SinkExt;
use serde_json::json;
use testkit::bench_servers::LIMITS_OFF;
use testkit::shop::Shop;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::picture;

const ROUNDS: usize = 3;
const VIEWERS: usize = 50;
const MESSAGES: u64 = 200;
/// Between two messages.
const PAUSE: Duration = Duration::from_millis(50);
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Gives the median over the rounds of the p99 beside uploads, divided by the p99 without them just before.
pub async fn measure() -> f64 {
    let own = ["--chat-per-second", "0", "--room-chat-per-second", "0", "--log", "error"];
    let shop = Shop::demo(&[&LIMITS_OFF[..], &own].concat()).await;
    let photo = picture::photo();
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let alone = p99_ms(&shop).await;
        let uploads = Uploads::start(&shop, &photo, round as u64);
        let beside = p99_ms(&shop).await;
        let converted = uploads.end().await;
        assert!(converted > 3, "{converted} photos were converted meanwhile: the chat had nothing beside it");
        println!("{:<26}{alone:8.2}{beside:8.2} ms, {converted} photos", "chat p99 alone, beside");
        ratios.push(beside / alone);
    }
    ratios.sort_by(f64::total_cmp);
    ratios[ROUNDS / 2]
}

/// The 99th percentile of the deliveries of a chat with a message each [`PAUSE`].
async fn p99_ms(shop: &Shop) -> f64 {
    let start = Instant::now() + Duration::from_secs(1);
    let due_at = move |number: u64| start + PAUSE * u32::try_from(number).unwrap();
    let mut viewers = JoinSet::new();
    for _ in 0..VIEWERS {
        let mut socket = LiveSocket::connect(&shop.server.url, &shop.stream, &JoinOptions::default()).await.unwrap();
        viewers.spawn(async move {
            let mut times = Vec::new();
            while times.len() < MESSAGES as usize {
                let text = timeout(RECEIVE_TIMEOUT, socket.receive_text()).await.expect("a message in time").unwrap();
                let now = Instant::now();
                for part in text.split("\"number ").skip(1) {
                    let Some(number) = part.split('"').next().and_then(|number| number.parse().ok()) else { continue };
                    // The history of the round before comes with the join.
                    if now >= start {
                        times.push(now.saturating_duration_since(due_at(number)).as_secs_f64() * 1e3);
                    }
                }
            }
            times
        });
    }
    let options = JoinOptions::with_token(&shop.token("sender", "viewer"));
    let mut sender = LiveSocket::connect(&shop.server.url, &shop.stream, &options).await.unwrap().into_inner();
    for number in 0..MESSAGES {
        sleep_until(due_at(number)).await;
        let verb = json!({"ref": number.to_string(), "do": "say", "text": format!("number {number}")});
        sender.send(Message::text(verb.to_string())).await.unwrap();
    }
    let mut times: Vec<f64> = viewers.join_all().await.concat();
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100]
}

/// One upload after the other, until it ends.
struct Uploads {
    is_over: Arc<AtomicBool>,
    converted: Arc<AtomicU64>,
    running: JoinHandle<()>,
}

impl Uploads {
    fn start(shop: &Shop, photo: &[u8], round: u64) -> Self {
        let (is_over, converted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let request = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = request.post(format!("{}/v1/pictures", shop.server.url)).bearer_auth(shop.token("Huda", "host"));
        let (photo, over, count) = (photo.to_vec(), is_over.clone(), converted.clone());
        let running = tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let number = round << 32 | count.load(Ordering::Relaxed);
                let request = request.try_clone().unwrap().header("content-type", "image/jpeg");
                let answer = request.body(with_comment(&photo, number)).send().await.unwrap();
                assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { is_over, converted, running }
    }

    async fn end(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.running.await.unwrap();
        self.converted.load(Ordering::Relaxed)
    }
}

/// The same photo as another file: the server converts a file once.
fn with_comment(photo: &[u8], number: u64) -> Vec<u8> {
    let (start, rest) = photo.split_at(2);
    [start, &[0xff, 0xfe, 0, 10], &number.to_be_bytes(), rest].concat()
}

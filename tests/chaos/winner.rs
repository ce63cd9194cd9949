//! A buyer of the scene `money`: reserves a unit, presses Pay in time, and repeats the request until there is an answer.

use std::sync::Arc;
use std::time::Duration;

use fake_stripe::FakeStripe;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::oracle::charge::PressedPay;
use crate::run_context::RunContext;

/// Then the buyer asks another node: this one may be frozen.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);
/// How long before the end of the hold the last moment to press Pay is.
const LATEST_MS: i64 = 2_000;

const ATTEMPTS_MAX: u32 = 6;
const GOOD_CARD: &str = "pm_card_visa";
/// The first card of a winner, with its percentage. After a declined card comes [`GOOD_CARD`].
const CARDS: [(&str, u32); 4] = [
    (GOOD_CARD, 78),
    ("pm_card_chargeDeclined", 8),
    ("pm_card_threeDSecure2Required", 12),
    ("pm_fake_captureFails", 2),
];

pub struct Winner {
    pub context: Arc<RunContext>,
    pub provider: Arc<FakeStripe>,
    pub number: u32,
    pub rng: StdRng,
    /// What happened, for readers of a violation.
    pub log: Vec<String>,
}

enum Payment {
    Paid,
    Declined,
    /// The bank asks the buyer, or the order has ended.
    Over,
}

impl Winner {
    /// Buys and pays. `None`: no unit was left, or the run ended first.
    pub async fn live(mut self, offer: String) -> (Option<PressedPay>, Vec<String>) {
        let pressed = self.win(offer).await;
        (pressed, self.log)
    }

    async fn win(&mut self, offer: String) -> Option<PressedPay> {
        let key = format!("winner-{:05}-buy", self.number);
        let reservation = self.repeat(&format!("/v1/offers/{offer}/orders"), &key, json!({"qty": 1})).await.ok()?;
        let order = reservation["id"].as_str()?.to_owned();
        let hold_until = reservation["hold_until"].as_i64()?;
        let rest = hold_until - LATEST_MS - self.context.now();
        sleep(Duration::from_millis(self.rng.random_range(0..rest.max(1)) as u64)).await;
        let mut card = self.pick_card();
        let buyer = self.buyer();
        // One that is declined after its turn has no time left for another card, and the bank may refuse.
        let is_good = card == GOOD_CARD;
        let pressed = PressedPay { buyer, order: order.clone(), pressed_at: self.context.now(), hold_until, is_good };
        // The provider keeps a failure of its own under the key, so also a good card is declined at times.
        let mut attempt = 1;
        while attempt <= ATTEMPTS_MAX && matches!(self.pay(&order, card, attempt).await, Payment::Declined) {
            card = GOOD_CARD;
            attempt += 1;
        }
        Some(pressed)
    }

    async fn pay(&mut self, order: &str, card: &str, attempt: u32) -> Payment {
        let token = self.provider.confirmation_token_of(card, self.number).expect("a card that the provider knows");
        let key = format!("winner-{:05}-pay-{attempt}", self.number);
        match self.repeat(&format!("/v1/orders/{order}/pay"), &key, json!({ "token": token })).await {
            Ok(_) => Payment::Paid,
            Err(code) if code == "declined" => Payment::Declined,
            Err(_) => Payment::Over,
        }
    }

    /// Sends the same request with the same key, each time to another node, until it is done or refused permanently.
    async fn repeat(&mut self, path: &str, key: &str, body: Value) -> Result<Value, String> {
        let token = self.context.token(&self.buyer(), "viewer");
        while !self.context.over.is_cancelled() {
            let node = self.rng.random_range(0..self.context.urls.len());
            let rest = self.context.rest(node, &token);
            let headers = [("idempotency-key", key)];
            let sent = rest.try_send(reqwest::Method::POST, path, &headers, Some(body.clone()));
            let mut pause = self.rng.random_range(200..900);
            let said = match timeout(REQUEST_TIMEOUT, sent).await {
                Ok(Ok(answer)) if answer.status < 300 => {
                    self.note(path, node, "done");
                    return Ok(answer.body);
                }
                Ok(Ok(answer)) => {
                    let code = answer.body["code"].as_str().unwrap_or("no code").to_owned();
                    let is_final = answer.status < 500 && answer.status != 429;
                    if is_final {
                        self.note(path, node, &code);
                        return Err(code);
                    }
                    pause = answer.body["retry_ms"].as_u64().unwrap_or(pause).min(2_000);
                    code
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            self.note(path, node, &said);
            sleep(Duration::from_millis(pause)).await;
        }
        Err("the run is over".to_owned())
    }

    fn note(&mut self, path: &str, node: usize, said: &str) {
        let verb = path.rsplit('/').next().unwrap_or_default();
        self.log.push(format!("{}: {verb} at node {node}: {said}", self.context.now()));
    }

    fn buyer(&self) -> String {
        format!("winner-{:05}", self.number)
    }

    fn pick_card(&mut self) -> &'static str {
        let mut at = self.rng.random_range(0..CARDS.iter().map(|(_, share)| share).sum());
        for (card, share) in CARDS {
            if at < share {
                return card;
            }
            at -= share;
        }
        GOOD_CARD
    }
}

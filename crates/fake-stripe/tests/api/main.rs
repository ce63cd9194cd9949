//! The server as a client meets it: over HTTP.

#![allow(clippy::unwrap_used, reason = "a test reports a failure by a panic")]

mod account;
mod customers;
mod faults;
mod intents;
mod webhooks;

use fake_stripe::{API_VERSION, FakeStripe, Options};
use serde_json::Value;

/// A client that is as plain as possible, so that a test reads like the documentation.
pub struct Client {
    pub fake: FakeStripe,
    pub key: &'static str,
    http: reqwest::Client,
}

/// An answer: its status, its JSON, and whether it was a repetition.
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub is_replayed: bool,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub fn id(&self) -> String {
        self.body["id"].as_str().expect("an object with an id").to_owned()
    }
}

impl Client {
    pub async fn start() -> Self {
        Self::with(Options { rate_per_endpoint: 1_000, ..Options::default() }).await
    }

    pub async fn with(options: Options) -> Self {
        let fake = FakeStripe::start(options).await.expect("the server starts");
        Self { fake, key: "sk_test_shop", http: reqwest::Client::new() }
    }

    pub async fn post(&self, path: &str, form: &str) -> Answer {
        self.try_post(path, form, None).await.expect("an answer")
    }

    pub async fn post_with_key(&self, path: &str, form: &str, key: &str) -> Answer {
        self.try_post(path, form, Some(key)).await.expect("an answer")
    }

    /// `None`: the connection was cut.
    pub async fn try_post(&self, path: &str, form: &str, key: Option<&str>) -> Option<Answer> {
        let mut request = self.http.post(format!("{}{path}", self.fake.base())).body(form.to_owned());
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.fake.base()))).await.expect("an answer")
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.http.delete(format!("{}{path}", self.fake.base()))).await.expect("an answer")
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Option<Answer> {
        let request = request.bearer_auth(self.key).header("stripe-version", API_VERSION);
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let is_replayed = response.headers().contains_key("idempotent-replayed");
        let body = response.json().await.ok()?;
        Some(Answer { status, body, is_replayed })
    }

    /// Creates and confirms an intent of 49.00 with manual capture.
    pub async fn pay(&self, card: &str) -> Answer {
        self.post("/v1/payment_intents", &pay_form(card)).await
    }
}

pub fn pay_form(card: &str) -> String {
    format!(
        "amount=4900&currency=sar&capture_method=manual&confirm=true&payment_method={card}&metadata[order]=o1\
         &automatic_payment_methods[enabled]=true&return_url=https://shop.example/back"
    )
}

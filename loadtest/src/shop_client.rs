//! The REST client of a run. As a host it signs tokens and creates streams, products and offers; afterwards it looks up
//! orders.
//!
//! It blocks the caller. Large numbers of requests are sent a few at a time.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use client::rest::new_key;
use client::{Rest, RestResponse, token};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use url::Url;

/// Number of concurrent requests.
const CONCURRENT_REQUESTS: usize = 16;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
const TOKEN_TTL_S: i64 = 24 * 3_600;

pub struct ShopClient {
    runtime: Runtime,
    rest: Rest,
    /// The same client with the host's token.
    host: Rest,
    key: Option<String>,
    dev_login: bool,
}

impl ShopClient {
    /// Checks that a server is there. `key` signs tokens; without it, the demo's token endpoint is used.
    pub fn open(base: &Url, key: Option<&str>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // The server closes connections that are idle for ten seconds, and this client is used only between two parts
        // of a run.
        let client =
            reqwest::Client::builder().timeout(REQUEST_TIMEOUT).pool_idle_timeout(IDLE_TIMEOUT).no_proxy().build()?;
        let rest = Rest::with_client(base.as_str(), client);
        let shop = runtime
            .block_on(rest.try_send(Method::GET, "/v1/shop", &[], None))
            .with_context(|| format!("there is no server at {base}"))?;
        if shop.status != 200 {
            bail!("{base} is not a Livesouk server: GET /v1/shop was answered with status {}", shop.status);
        }
        let dev_login = shop.body["dev_login"] == true;
        Ok(Self { runtime, host: rest.clone(), rest, key: key.map(str::to_owned), dev_login })
    }

    /// Whether tokens can be signed. Chatting, buying and hosting need them.
    pub fn can_sign_tokens(&self) -> bool {
        self.key.is_some() || self.dev_login
    }

    /// Whether the server runs without the limits of each user and connection (`--request-limits false`). They change what a
    /// load test may conclude, so its report says so.
    pub fn is_unlimited(&self) -> bool {
        let answer = self.runtime.block_on(self.rest.try_send(Method::GET, "/readyz", &[], None));
        answer.is_ok_and(|ready| ready.body["limits"] == "off")
    }

    /// Signs in as the host that creates the streams.
    pub fn sign_in_as_host(&mut self) -> Result<String> {
        let token = self.sign_tokens("loadtest-host", "host", 1)?.remove(0);
        self.host = self.rest.with_token(&token);
        Ok(token)
    }

    /// Signs this many tokens, each for another user.
    pub fn sign_tokens(&self, name: &str, role: &'static str, count: usize) -> Result<Vec<String>> {
        if let Some(key) = &self.key {
            return (0..count)
                .map(|number| Ok(token::sign(key, &format!("{name}-{number}"), role, TOKEN_TTL_S)?))
                .collect();
        }
        if !self.dev_login {
            bail!(
                "this needs signed tokens: set --auth-key (or LIVESOUK_AUTH_KEY) to the key that the server was started with"
            );
        }
        let names = (0..count).map(|number| format!("{name}-{number}"));
        let responses = self.send_all(names, |rest, name| async move {
            let body = json!({"name": name, "role": role});
            rest.try_send(Method::POST, "/v1/dev/tokens", &[], Some(body)).await
        })?;
        responses
            .into_iter()
            .map(|made| {
                Ok(made.body["token"].as_str().context("the demo's token endpoint returned no token")?.to_owned())
            })
            .collect()
    }

    /// Creates a stream that is live.
    pub fn create_live_stream(&self, title: &str) -> Result<String> {
        let stream = id_of(&self.post("/v1/streams", json!({"title": title}))?)?;
        self.post(&format!("/v1/streams/{stream}/start"), json!({}))?;
        Ok(stream)
    }

    pub fn end_stream(&self, stream: &str) -> Result<()> {
        self.post(&format!("/v1/streams/{stream}/end"), json!({})).map(drop)
    }

    /// Creates a product with this many units, and an offer of this stream that has all of them. The offer is a draft.
    pub fn create_offer(&self, stream: &str, title: &str, quantity: i64, flash: bool) -> Result<String> {
        let product = json!({"title": title, "variants": [{"name": "One size", "price": 9_900, "stock": quantity}]});
        let variant = id_of(&self.post("/v1/products", product)?["variants"][0])?;
        let kind = if flash { "flash" } else { "regular" };
        let mut offer = json!({"variant": variant, "kind": kind, "price": 4_900, "quantity": quantity, "per_buyer": 2});
        if flash {
            offer["countdown_s"] = json!(10);
            offer["duration_s"] = json!(300);
        }
        id_of(&self.post(&format!("/v1/streams/{stream}/offers"), offer)?)
    }

    /// The offers of a stream that every viewer may see.
    pub fn offers(&self, stream: &str) -> Result<Vec<Value>> {
        let path = format!("/v1/streams/{stream}/offers");
        let mut response = self.runtime.block_on(self.rest.try_send(Method::GET, &path, &[], None))?;
        match response.body["items"].take() {
            Value::Array(offers) if response.status == 200 => Ok(offers),
            _ => bail!("GET {path} was answered with status {}: {}", response.status, problem_of(&response)),
        }
    }

    /// Requests these paths, each with its own token.
    pub fn get_all(&self, requests: Vec<(String, String)>) -> Result<Vec<RestResponse>> {
        self.send_all(requests.into_iter(), |rest, (path, token)| async move {
            rest.with_token(&token).try_send(Method::GET, &path, &[], None).await
        })
    }

    /// Runs another future to its end, such as a database query.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn post(&self, path: &str, body: Value) -> Result<Value> {
        let response = self.runtime.block_on(self.host.try_send(
            Method::POST,
            path,
            &[("idempotency-key", &new_key())],
            Some(body),
        ))?;
        if !response.is_success() {
            bail!("POST {path} was answered with status {}: {}", response.status, problem_of(&response));
        }
        Ok(response.body)
    }

    fn send_all<T, F>(
        &self,
        requests: impl Iterator<Item = T>,
        send: impl Fn(Rest, T) -> F,
    ) -> Result<Vec<RestResponse>>
    where
        F: Future<Output = reqwest::Result<RestResponse>> + Send + 'static,
    {
        self.runtime.block_on(async {
            let (mut running, mut responses) = (JoinSet::new(), Vec::new());
            for (place, one) in requests.enumerate() {
                if running.len() == CONCURRENT_REQUESTS {
                    responses.extend(running.join_next().await);
                }
                let sending = send(self.rest.clone(), one);
                running.spawn(async move { (place, sending.await) });
            }
            responses.extend(running.join_all().await.into_iter().map(Ok));
            let mut responses = responses.into_iter().collect::<Result<Vec<_>, _>>()?;
            responses.sort_by_key(|(place, _)| *place);
            responses.into_iter().map(|(_, response)| Ok(response?)).collect()
        })
    }
}

fn id_of(object: &Value) -> Result<String> {
    Ok(object["id"].as_str().context("the server's response has no id")?.to_owned())
}

fn problem_of(response: &RestResponse) -> &str {
    response.body["detail"].as_str().or(response.body["title"].as_str()).unwrap_or("?")
}

//! The shop over REST, as a host: tokens, shows, products, offers, and orders to look up afterwards.
//!
//! Blocking on the outside; requests that come in hundreds go out a few at a time.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use url::Url;

/// Requests under way at once.
const CONCURRENT_REQUESTS: usize = 16;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
const TOKEN_TTL_S: u64 = 24 * 3_600;

pub struct Shop {
    runtime: Runtime,
    rest: ShopRest,
    key: Option<String>,
    dev_login: bool,
}

#[derive(Clone)]
struct ShopRest {
    client: reqwest::Client,
    base: Url,
    host: Arc<str>,
}

/// An answer: its status and its body.
pub type RestReply = (u16, Value);

impl Shop {
    /// Looks whether a shop is there. `key` signs tokens; without one the demo's log-in is asked.
    pub fn open(base: &Url, key: Option<&str>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // The server ends links that idle for ten seconds, and we look at ours only between two parts of a run.
        let client =
            reqwest::Client::builder().timeout(REQUEST_TIMEOUT).pool_idle_timeout(IDLE_TIMEOUT).no_proxy().build()?;
        let rest = ShopRest { client, base: base.clone(), host: "".into() };
        let (status, shop) = runtime
            .block_on(rest.send(reqwest::Method::GET, "/v1/shop", "", None))
            .with_context(|| format!("there is no server at {base}"))?;
        if status != 200 {
            bail!("{base} is no Livesouk server: GET /v1/shop answers {status}");
        }
        let dev_login = shop["dev_login"] == true;
        Ok(Self { runtime, rest, key: key.map(str::to_owned), dev_login })
    }

    /// Whether it can sign tokens, and with them talk, buy and host.
    pub fn can_sign_tokens(&self) -> bool {
        self.key.is_some() || self.dev_login
    }

    /// Signs in as the host who makes the shows.
    pub fn sign_in_as_host(&mut self) -> Result<String> {
        let token = self.sign_tokens("crowd-host", "host", 1)?.remove(0);
        self.rest.host = token.as_str().into();
        Ok(token)
    }

    /// So many people's tokens, each another person.
    pub fn sign_tokens(&self, name: &str, role: &'static str, count: usize) -> Result<Vec<String>> {
        if let Some(key) = &self.key {
            return (0..count).map(|number| sign_token(key, &format!("{name}-{number}"), role)).collect();
        }
        if !self.dev_login {
            bail!(
                "this needs signed tokens: give --auth-key (or LIVESOUK_AUTH_KEY), the key the server was started with"
            );
        }
        let names = (0..count).map(|number| format!("{name}-{number}"));
        let told = self.send_all(names, |rest, name| async move {
            let body = json!({"name": name, "role": role});
            rest.send(reqwest::Method::POST, "/v1/dev/tokens", "", Some(body)).await
        })?;
        told.into_iter()
            .map(|(_, body)| Ok(body["token"].as_str().context("the demo's log-in gave no token")?.to_owned()))
            .collect()
    }

    /// A new show that is live.
    pub fn create_live_stream(&self, title: &str) -> Result<String> {
        let stream = id_of(&self.post("/v1/streams", json!({"title": title}))?)?;
        self.post(&format!("/v1/streams/{stream}/start"), json!({}))?;
        Ok(stream)
    }

    pub fn end(&self, stream: &str) -> Result<()> {
        self.post(&format!("/v1/streams/{stream}/end"), json!({})).map(drop)
    }

    /// A new product of so many units, all of them in one offer of this show, not yet open.
    pub fn offer(&self, stream: &str, title: &str, quantity: i64, flash: bool) -> Result<String> {
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

    /// The offers of a show that anybody may see.
    pub fn offers(&self, stream: &str) -> Result<Vec<Value>> {
        let path = format!("/v1/streams/{stream}/offers");
        let (status, mut body) = self.runtime.block_on(self.rest.send(reqwest::Method::GET, &path, "", None))?;
        match body["items"].take() {
            Value::Array(offers) if status == 200 => Ok(offers),
            _ => bail!("GET {path} answers {status}: {}", body["detail"].as_str().unwrap_or_default()),
        }
    }

    /// Asks for paths, each as somebody.
    pub fn get_all(&self, asked: Vec<(String, String)>) -> Result<Vec<RestReply>> {
        self.send_all(asked.into_iter(), |rest, (path, token)| async move {
            rest.send(reqwest::Method::GET, &path, &token, None).await
        })
    }

    /// Runs something else that waits, such as a look into the database.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn post(&self, path: &str, body: Value) -> Result<Value> {
        let host = self.rest.host.clone();
        let (status, body) = self.runtime.block_on(self.rest.send(reqwest::Method::POST, path, &host, Some(body)))?;
        if !(200..300).contains(&status) {
            bail!(
                "POST {path} answers {status}: {}",
                body["detail"].as_str().or(body["title"].as_str()).unwrap_or("?")
            );
        }
        Ok(body)
    }

    fn send_all<T, F>(&self, asked: impl Iterator<Item = T>, ask: impl Fn(ShopRest, T) -> F) -> Result<Vec<RestReply>>
    where
        F: Future<Output = Result<RestReply>> + Send + 'static,
    {
        self.runtime.block_on(async {
            let (mut running, mut told) = (JoinSet::new(), Vec::new());
            for (place, one) in asked.enumerate() {
                if running.len() == CONCURRENT_REQUESTS {
                    told.extend(running.join_next().await);
                }
                let asking = ask(self.rest.clone(), one);
                running.spawn(async move { (place, asking.await) });
            }
            told.extend(running.join_all().await.into_iter().map(Ok));
            let mut told = told.into_iter().collect::<Result<Vec<_>, _>>()?;
            told.sort_by_key(|(place, _)| *place);
            told.into_iter().map(|(_, told)| told).collect()
        })
    }
}

impl ShopRest {
    async fn send(&self, method: reqwest::Method, path: &str, token: &str, body: Option<Value>) -> Result<RestReply> {
        let mut request = self.client.request(method, self.base.join(path)?);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.unwrap_or(Value::Null)))
    }
}

fn id_of(of: &Value) -> Result<String> {
    Ok(of["id"].as_str().context("the server's answer has no id")?.to_owned())
}

fn sign_token(key: &str, user: &str, role: &str) -> Result<String> {
    #[expect(clippy::disallowed_methods, reason = "a token ends at a time of the day, whatever clock the tests have")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = json!({"sub": user, "name": user, "role": role, "iat": now, "exp": now + TOKEN_TTL_S});
    Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(key.as_bytes()))?)
}

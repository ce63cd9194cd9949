//! REST requests. [`Rest::try_send`] returns every failure. The shorter methods, such as [`Rest::get`] and
//! [`RestResponse::expect`], panic with the request and the body, which is how a test reports.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// The time limit of a request, unless the client is made with another one.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// A REST client of one server, with or without a token. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Rest {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
}

#[derive(Debug, Clone)]
pub struct RestResponse {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null when there is no body; text when the body is not JSON.
    pub body: Value,
    request: String,
}

impl Rest {
    /// `base` is like `http://127.0.0.1:8080`. Paths are given in full, `/v1/…`.
    pub fn new(base: &str) -> Rest {
        let client = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).no_proxy().build();
        Rest::with_client(base, client.expect("a client without TLS settings can be built"))
    }

    /// The same with other settings of the HTTP client.
    pub fn with_client(base: &str, client: reqwest::Client) -> Rest {
        Rest { client, base: base.trim_end_matches('/').to_owned(), token: None }
    }

    /// The same client with a token. It shares the connections.
    pub fn with_token(&self, token: &str) -> Rest {
        Rest { token: Some(token.to_owned()), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> RestResponse {
        self.send(Method::GET, path, &[], None).await
    }

    /// Each request gets an idempotency key of its own, which the routes that add something require.
    pub async fn post(&self, path: &str, body: Value) -> RestResponse {
        self.post_keyed(path, &new_key(), body).await
    }

    /// A request that may be retried: `key` is sent in the header `Idempotency-Key`.
    pub async fn post_keyed(&self, path: &str, key: &str, body: Value) -> RestResponse {
        self.send(Method::POST, path, &[("idempotency-key", key)], Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> RestResponse {
        self.send(Method::PUT, path, &[], Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> RestResponse {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// Sends any request, and panics when there is no response. `try_send` returns that failure.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> RestResponse {
        let request = format!("{method} {path}");
        self.try_send(method, path, headers, body).await.unwrap_or_else(|error| panic!("{request}: {error:?}"))
    }

    /// Sends a body as it is: one that is not JSON, or of another content type.
    pub async fn send_text(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> RestResponse {
        let sent = self.request(method, path, headers).body(body.to_owned()).send().await;
        let sent = sent.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        RestResponse::read(path.to_owned(), sent).await.unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    /// Sends any request. An HTTP error status is a response, not an error.
    ///
    /// # Errors
    ///
    /// When the connection fails, or no complete response comes in time.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<RestResponse, reqwest::Error> {
        let request_line = format!("{method} {path}");
        let mut request = self.request(method, path, headers);
        if let Some(body) = body {
            request = request.json(&body);
        }
        RestResponse::read(request_line, request.send().await?).await
    }

    fn request(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
    }
}

/// An idempotency key for one request.
pub fn new_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}

impl RestResponse {
    async fn read(request: String, response: reqwest::Response) -> Result<RestResponse, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        };
        Ok(RestResponse { status, headers, body, request })
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body, when the response has the expected status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{} was answered with {:#}", self.request, self.body);
        self.body
    }

    /// The body of a refusal: a problem with this status and this code.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}: {:#}", self.request, self.body);
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body:#}");
        body
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

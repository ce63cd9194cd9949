//! REST as a test speaks it: one line a request, and an answer that prints itself when it is not the expected one.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Rest {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null when there is no body; a text when it is not JSON.
    pub body: Value,
    request: String,
}

impl Rest {
    /// `base` such as `http://127.0.0.1:8080`; paths are given whole, `/v1/…`.
    pub fn new(base: &str) -> Rest {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).no_proxy().build();
        Rest { client: client.expect("a client"), base: base.trim_end_matches('/').to_owned(), token: None }
    }

    /// The same client as somebody; connections are shared.
    pub fn with_token(&self, token: &str) -> Rest {
        Rest { token: Some(token.to_owned()), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// A verb that may be retried: `key` goes into the header `Idempotency-Key`.
    pub async fn post_keyed(&self, path: &str, key: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[("idempotency-key", key)], Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, &[], Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// Any request; panics only when no answer comes at all. For that case there is `try_send`.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let request = format!("{method} {path}");
        self.try_send(method, path, headers, body).await.unwrap_or_else(|error| panic!("{request}: {error:?}"))
    }

    /// A body as it is, for those that are no JSON or of another kind.
    pub async fn send_text(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let sent = self.start(method, path, headers).body(body.to_owned()).send().await;
        let sent = sent.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        Answer::of(path.to_owned(), sent).await.unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Answer, reqwest::Error> {
        let request_line = format!("{method} {path}");
        let mut request = self.start(method, path, headers);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request_line, request.send().await?).await
    }

    fn start(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> reqwest::RequestBuilder {
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

impl Answer {
    async fn of(request: String, response: reqwest::Response) -> Result<Answer, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        };
        Ok(Answer { status, headers, body, request })
    }

    /// The body, when the status is the expected one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{} answered {:#}", self.request, self.body);
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

//! A request to a payment provider, in plain types: `app` knows no HTTP library. The caller sets the deadline.

use axum::http::Request;

use super::operator_http;

pub struct ProviderRequest<'r> {
    pub method: &'r str,
    /// The whole address.
    pub url: &'r str,
    pub headers: &'r [(&'r str, &'r str)],
    pub body: Vec<u8>,
}

pub struct ProviderAnswer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl ProviderAnswer {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Sends a request and reads an answer of at most `bytes_max`. The error is a sentence for the log; the request may have arrived all
/// the same.
pub async fn send(request: ProviderRequest<'_>, bytes_max: usize) -> Result<ProviderAnswer, String> {
    let ProviderRequest { method, url, headers, body } = request;
    let built = headers
        .iter()
        .fold(Request::builder().method(method).uri(url), |built, (name, value)| built.header(*name, *value));
    let answer = operator_http::send(built.body(body).map_err(|error| error.to_string())?, bytes_max).await?;
    let (parts, body) = answer.into_parts();
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    Ok(ProviderAnswer { status: parts.status.as_u16(), headers, body })
}

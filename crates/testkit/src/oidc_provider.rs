//! A real identity provider: oidc-provider-mock, with pages on which a test signs in as whom it likes.

use std::process::Command;

use reqwest::redirect::Policy;
use serde_json::Value;

use super::ports::free_address;
use super::process::Process;
use super::python::python_with;
use super::{SOON, until_some};

const REQUIREMENTS: &str = include_str!("../oidc_provider/requirements.txt");

/// It ends when its value is dropped.
#[derive(Debug)]
pub struct OidcProvider {
    _process: Process,
    /// Such as `http://127.0.0.1:40123`.
    pub issuer: String,
    http: reqwest::Client,
}

impl OidcProvider {
    pub async fn start() -> OidcProvider {
        let python = tokio::task::spawn_blocking(|| python_with("oidc_provider", REQUIREMENTS));
        let python = python.await.expect("the tools are installed");
        let address = free_address();
        let (_, port) = address.rsplit_once(':').expect("an address has a port");
        let mut command = Command::new(python);
        command.args(["-W", "ignore", "-m", "oidc_provider_mock", "--port", port]);
        let process = Process::start(&mut command);
        let issuer = format!("http://{address}");
        let http = reqwest::Client::builder().redirect(Policy::none()).build().expect("a client");
        let ready = async || http.get(format!("{issuer}/.well-known/openid-configuration")).send().await.ok();
        until_some("identity provider", SOON * 2, ready).await;
        OidcProvider { _process: process, issuer, http }
    }

    /// Says what the provider knows about somebody.
    pub async fn set_user(&self, subject: &str, claims: &Value) {
        let answer = self.http.put(format!("{}/users/{subject}", self.issuer)).json(claims).send().await;
        assert!(answer.expect("the provider answers").status().is_success());
    }

    /// Signs in on the page of the provider, and gives what the browser gets: the parameters of the address of our page.
    pub async fn sign_in(&self, url: &str, subject: &str) -> Vec<(String, String)> {
        let body = format!("sub={subject}");
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = request.send().await.expect("the provider answers");
        let back = answer.headers().get("location").expect("the provider sends the browser back");
        let back = reqwest::Url::parse(back.to_str().expect("an address")).expect("an address");
        back.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }
}

//! The identity provider of the operator: its discovery document and keys, kept for a while, and the two steps of a sign-in.
//!
//! `openidconnect` builds the requests and checks the tokens. The HTTP client is ours: answers have a limit, steps a deadline, and no
//! redirect is followed. The issuer is the operator's own setting, so it may be on a private network.

#[cfg(feature = "oidc")]
mod client;

#[cfg(not(feature = "oidc"))]
use crate::domain::oidc::{OidcIdentity, OidcSettings};
#[cfg(feature = "oidc")]
pub use client::OidcProvider;

/// A build without the feature `oidc` has none.
#[cfg(not(feature = "oidc"))]
#[derive(Debug)]
pub enum OidcProvider {}

#[cfg(not(feature = "oidc"))]
impl OidcProvider {
    pub fn new(_: OidcSettings) -> Result<Self, String> {
        Err("this binary was built without the feature oidc".to_owned())
    }

    pub fn name(&self) -> &str {
        match *self {}
    }

    pub fn issuer(&self) -> &str {
        match *self {}
    }

    pub fn trusts_email(&self) -> bool {
        match *self {}
    }

    pub async fn authorization_url(&self, _: &str, _: &str, _: String, _: String) -> Result<String, String> {
        match *self {}
    }

    pub async fn identity(&self, _: &str, _: String, _: String, _: String) -> Result<OidcIdentity, String> {
        match *self {}
    }
}

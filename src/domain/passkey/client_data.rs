//! What the browser signs together with the authenticator: what for, by which challenge, and on which page.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::domain::Refusal;

#[derive(Deserialize)]
pub struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    is_cross_origin: bool,
}

impl ClientData {
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(bytes).map_err(|_| Refusal::PasskeyInvalid("What the browser sent cannot be read."))
    }

    pub fn challenge(&self) -> Result<Vec<u8>, Refusal> {
        let decoded = BASE64_URL_SAFE_NO_PAD.decode(&self.challenge);
        decoded.map_err(|_| Refusal::PasskeyInvalid("The challenge cannot be read."))
    }

    /// Checks what it is for, and that a page of ours asked: not one of another site, and not one in a frame of another site.
    pub fn check(&self, kind: &str, origin: &str) -> Result<(), Refusal> {
        match () {
            () if self.kind != kind => Err(Refusal::PasskeyInvalid("It is an answer to another question.")),
            () if self.origin != origin || self.is_cross_origin => {
                Err(Refusal::PasskeyInvalid("A page of another site asked for it."))
            }
            () => Ok(()),
        }
    }
}

//! The errors of the API, in the shape and with the status codes of the original.

use serde_json::{Value, json};

/// A refused request.
#[derive(Clone, Debug)]
pub struct ApiError {
    pub status: u16,
    pub kind: &'static str,
    pub code: Option<&'static str>,
    pub decline_code: Option<&'static str>,
    pub message: String,
    /// The intent that a declined card belongs to.
    pub intent: Option<Value>,
    /// Whether an idempotency key keeps this answer. Failed validation and conflicts are not kept.
    pub is_kept: bool,
}

impl ApiError {
    /// A parameter is wrong. Nothing was begun.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", Some(code), message)
    }

    /// The request is well formed, and the object is not in a status that allows it.
    pub fn state(code: &'static str, message: impl Into<String>) -> Self {
        Self { is_kept: true, ..Self::invalid(code, message) }
    }

    pub fn missing(what: &str, id: &str) -> Self {
        Self::new(404, "invalid_request_error", Some("resource_missing"), format!("No such {what}: '{id}'"))
    }

    /// A parameter names an object that is not there.
    pub fn missing_parameter(what: &str, id: &str) -> Self {
        Self::invalid("resource_missing", format!("No such {what}: '{id}'"))
    }

    pub fn declined(code: &'static str, decline_code: Option<&'static str>, intent: Value) -> Self {
        let error = Self::new(402, "card_error", Some(code), "Your card was declined.");
        Self { decline_code, intent: Some(intent), is_kept: true, ..error }
    }

    pub fn new(status: u16, kind: &'static str, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { status, kind, code, decline_code: None, message: message.into(), intent: None, is_kept: false }
    }

    pub fn body(&self) -> Value {
        let mut error = json!({ "type": self.kind, "message": self.message });
        if let Some(code) = self.code {
            error["code"] = code.into();
        }
        if let Some(code) = self.decline_code {
            error["decline_code"] = code.into();
        }
        if let Some(intent) = &self.intent {
            error["payment_intent"] = intent.clone();
        }
        json!({ "error": error })
    }
}

//! Signing in on our own pages: guests, codes by e-mail, sessions, and when their cookie counts.

mod cookie;
mod email_code;
#[cfg(feature = "oidc")]
mod oidc;
mod session;

//! Limits: what one client, one address or one user may take from all others.

mod connection;
mod document;

//! Limits: what one client, one address or one user may take from all others.

mod admission;
mod buyer;
mod connection;
mod document;
mod slots;
mod user;

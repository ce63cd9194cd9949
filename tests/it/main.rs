//! Everything tested from outside: one binary, because each binary links the whole server once more.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod bad_input;
mod chat;
mod contract_broker;
mod contract_store;
mod crowd;
mod helpers;
mod life;
mod moderate;
mod nodes;
mod operate;
mod resume;
mod rush;
mod storm;
mod support;
mod tidy;

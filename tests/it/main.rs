//! All tests that use the server from outside. They are one binary, because each test binary links the whole server again.

#![allow(clippy::unwrap_used, reason = "a test reports a failure by a panic")]

mod accounts;
mod bad_input;
mod bulk_edits;
mod chat;
mod contract_broker;
mod contract_store;
mod examples;
mod import_limits;
mod imports;
mod life;
mod limits;
mod load_test;
mod mail;
mod moderate;
mod names;
mod nodes;
mod operate;
mod payment_days;
mod permissions;
mod pictures;
mod quick_item;
mod resume;
mod rush;
mod sign_in;
mod staff;
mod storm;
mod tidy;

use testkit as support;

//! Real Chromium, driven over WebDriver: what people see and press.
//!
//! Pictures go to `target/screens`, or to the folder that `LIVESOUK_SHOTS` names.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod client;
mod example;
mod host;
mod page;
mod purchase;
mod screens;
mod show;
mod smoke;
mod support;
mod talk;
mod team;
mod visit;

//! Tests of the testkit itself: the other tests prove something only if their helpers are correct.

#![allow(clippy::unwrap_used, reason = "a test reports a failure by a panic")]

mod chaos;
mod ports;
mod position;
mod postgres;
mod process;
mod proxy;
mod rest;
mod socket;

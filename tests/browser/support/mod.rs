//! Helpers of the browser tests: the browser is here; the server and the network proxy are those of `tests/it/support`.

#![allow(dead_code, reason = "not every test uses every helper")]

pub mod browser;
pub mod driver;
pub mod layout_check;
pub mod page;
pub mod person;

#[path = "../../it/support/mod.rs"]
pub mod outside;

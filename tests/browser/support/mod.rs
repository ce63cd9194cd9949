//! What the browser tests share: the browser is here, the server and the bad network are those of the outside tests.

#![allow(dead_code, reason = "helpers are offered to every test; not every test uses every one")]

pub mod browser;
pub mod driver;
pub mod page;
pub mod person;
pub mod sound;

#[path = "../../it/support/mod.rs"]
pub mod outside;

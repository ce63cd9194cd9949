//! What the browser tests share. The browser is here; a server and a bad network come from the outside tests:
//! `#[path = "../../it/support/mod.rs"] pub mod outside;`.

#![allow(dead_code, reason = "helpers are offered to every test; not every test uses every one")]

pub mod browser;
pub mod driver;
pub mod page;

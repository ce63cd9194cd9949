//! End-to-end tests in a real Chromium, driven over WebDriver: they read and press what users see.
//!
//! Screenshots go to `target/screens`, or to the folder that the environment variable `LIVESOUK_SHOTS` names.

#![allow(clippy::unwrap_used, reason = "a test reports a failure by a panic")]

mod account;
mod behind_proxy;
mod bulk;
pub mod card;
mod card_lost;
mod catalogue;
mod checkout;
mod client;
mod colour;
mod coupon;
mod crowd;
mod customers;
mod demo;
mod desk;
mod desk_mail;
mod evening;
mod example;
mod express;
mod focus;
mod follow;
mod forms;
mod guest_order;
mod host;
mod hosted_page;
mod invoice;
mod keyboard;
mod market;
mod moderation;
mod money;
mod page;
mod passkey;
mod pay_later;
mod payments;
mod pictures;
mod placed_order;
mod policy;
mod publish_key;
mod purchase;
mod reactions;
mod replay;
mod saved_card;
mod screens;
mod show;
mod show_end;
mod sign_in_link;
mod smoke;
mod staff;
mod stripe_keys;
mod team;
mod video;
mod visit;
mod whep;

/// The testkit as these tests use it: the browser, and what is outside of it.
mod support {
    pub use testkit as outside;
    pub use testkit::browser::{self, driver, firefox, page, person};
}

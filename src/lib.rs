//! Livesouk: a self-hosted real-time server for live-stream shopping.
//!
//! The folders `domain`, `protocol`, `store`, `broker`, `room`, `app`, `verbs`, `session` and `http` are layers; `docs/architecture.md` lists
//! them in the order of their dependencies, and the other modules. The files of a layer are named after the nouns of the shop, and a
//! noun has the same file name in each layer that has a file for it (`find src -name offer.rs`).
//! Imports go one way only, and a test checks that (`tests/it/tidy/imports.rs`).

/// The use cases: one function for each thing that a user can do. Permissions are checked here.
pub mod app;
/// The broker between nodes: publish and subscribe with numbered messages and a history, in this process or over Redis.
pub mod broker;
/// The rules of the shop as pure functions and types. No async, no I/O, no clock.
pub mod domain;
/// HTTP: the router, authentication, errors, REST routes, the WebSocket upgrade, health and metrics.
pub mod http;
/// The wire format: the JSON of the API and the bytes of WebSocket frames.
pub mod protocol;
/// The rooms of this node: ring buffers, the position of each viewer, broadcast and backpressure.
pub mod room;
/// One WebSocket connection: reads frames, runs verbs, queues replies.
pub mod session;
/// The database (SQLite or PostgreSQL). All SQL is here.
pub mod store;
/// The live verbs: everything a client can do in a live show, registered once for the WebSocket and for REST.
pub mod verbs;

/// The clock. Only this module asks the system for the time of day, except for the time in new ids.
pub mod clock;
/// What the commands print.
mod command_output;
/// The commands of the binary: demo, serve, migrate, token and the rest.
pub mod commands;
/// Every setting: its flag, environment variable, default and help text.
pub mod config;
/// Mistakes in the URL of a database or a Redis.
pub mod connection_url;
/// The demo shop: its products, shows and offers.
pub mod demo;
mod demo_command;
/// Injected faults that the load test and the chaos test must detect. Never part of a release.
mod fault;
/// The first start of a shop: its signing key, and the set-up link with which the owner signs in first.
pub mod first_start;
/// Addresses that a person typed on a page: resolved, checked, and only then connected to.
pub mod guarded_address;
mod logging;
/// The mail server of the settings, and the command that tries it.
pub mod mail_command;
/// Metric types, and the encoding of the metrics page.
mod metrics;
/// A running node: start, serve, graceful shutdown.
pub mod node;
mod node_settings;
/// The identity provider of the settings.
pub mod oidc_settings;
/// The payment provider that the command line chose.
mod payment_settings;
/// The command that compares the payment provider with the database of the shop.
mod reconcile_command;
/// Rehearsals: simulated viewers play a show on a separate node inside this process.
pub mod rehearsal;
/// The key for secrets in the database, and the command that changes it.
pub mod secrets_command;
mod serve_command;
mod signals;

#[cfg(all(feature = "fault-injection", not(debug_assertions)))]
compile_error!("this feature breaks guarantees on purpose, so it must never be part of a release");

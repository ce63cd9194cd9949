//! Livesouk: a self-hosted real-time server for live-stream shopping.
//!
//! The modules in reading order, which is the order data flows. A folder is a layer; file names are nouns of the shop,
//! the same in every layer (`ls src/*/offer.rs`). Imports run one way, and a test holds that.

/// What one can do: one verb, one function; both doors call it.
pub mod app;
/// How nodes hear each other: opaque numbered bytes.
pub mod broker;
/// What the words mean: pure rules. No async, no I/O, no clock.
pub mod domain;
/// The web door: router on one page, auth, errors, REST, socket upgrade, ops.
pub mod http;
/// The JSON on the socket and the frame bytes.
pub mod protocol;
/// Who is here on this node: rings, cursors and the writing walk.
pub mod room;
/// One WebSocket connection: reads frames, asks app, queues replies.
pub mod session;
/// What must survive: the only SQL.
pub mod store;

/// The one place that asks what time it is.
pub mod clock;
/// Every setting: flag, environment variable, default, one line of help.
pub mod config;
/// The demo shop.
pub mod demo;
/// Faults planted for the load test to find; in no release.
#[cfg(feature = "planted-fault")]
pub mod fault;
/// What is counted, and the page that tells it.
pub mod metrics;
/// A running node: opens what it needs, serves, stops cleanly.
pub mod node;
/// A crowd that plays a show in a room nobody else sees.
pub mod rehearsal;

#[cfg(all(feature = "planted-fault", not(debug_assertions)))]
compile_error!("planted-fault breaks promises on purpose, so it is never part of a release");

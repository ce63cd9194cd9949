//! A Rust client for a Livesouk server: REST, the live socket and signed tokens.
//!
//! The tests, the chaos test, the benchmarks and the load test share it. Failures of the server and of the network are
//! values, because the chaos test expects them; only the methods of [`rest`] that are named there panic.
//!
//! The load test's simulated viewers do not use [`live`]. They keep their own frame parser (`loadtest::frame`), because
//! fifteen thousand of them share one thread and one read buffer: a received frame costs them less than 1 µs, without a
//! task, a buffer or a copy for each connection. Here each connection has its own buffers, and each frame becomes a
//! string or a JSON value.

pub mod live;
pub mod position;
pub mod rest;
pub mod token;

pub use live::{ConnectionEnd, JoinOptions, LiveConnection, LiveSocket};
pub use position::ClientPosition;
pub use rest::{Rest, RestResponse};

//! The run's own PostgreSQL, because it is crashed and restarted.

pub use crate::support::cluster::{Postgres, connect};

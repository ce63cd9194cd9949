//! The contract of the broker: one suite of facts, each run within one process, on Redis and on a Redis Cluster.
//!
//! A fact is one async function that takes a [`Fixture`](fixture::Fixture) with two nodes; `facts!` makes
//! `local::fact`, `redis::fact` and `cluster::fact` of it. Within one process both nodes are the same broker. Faults
//! that only Redis can have are in files of their own: `faults`, `holes` and `resync`, on Redis, and on a cluster where
//! that differs.

mod events;
mod faults;
mod fixture;
mod holes;
mod lanes;
mod presence;
mod resync;
mod shards;

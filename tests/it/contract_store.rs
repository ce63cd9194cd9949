//! The contract of the store: one suite of facts, each run on SQLite and on Postgres.
//!
//! A fact is one async function that takes a [`Fixture`](fixture::Fixture); `facts!` makes `sqlite::fact` and
//! `postgres::fact` of it. What is true of one database only stands in a file of its own: `twins` (the same batches
//! on both), `migrate`, `setup`, `kills`, `sessions`, `plans`, `full_disk`.

mod actor;
mod address;
mod chat;
mod deed;
mod erase;
mod fixture;
mod full_disk;
mod held;
mod invite;
mod keys;
mod kills;
mod migrate;
mod money;
mod offer;
mod order;
mod paying;
mod payment;
mod plans;
mod pools;
mod refund;
mod refunding;
mod release;
mod report;
mod rundown;
mod script;
mod sell;
mod sessions;
mod setup;
mod side;
mod stream;
mod twins;
mod waiting;
mod words;

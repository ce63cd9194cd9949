//! The contract of the store: one suite of facts, each run on SQLite and on Postgres.
//!
//! A fact is one async function that takes a [`Fixture`](fixture::Fixture); `facts!` makes `sqlite::fact` and
//! `postgres::fact` of it. What is true of one database only stands in a file of its own: `twins` (the same batches
//! on both), `migrate`, `setup`, `kills`, `sessions`, `plans`, `full_disk`.

mod address;
mod audit;
mod both_databases;
mod builders;
mod chat;
mod checkout;
mod connection_settings;
mod fixture;
mod full_disk;
mod idempotency;
mod invite;
mod lineup;
mod migrate;
mod offer;
mod order;
mod payment;
mod payment_flow;
mod postgres_faults;
mod query_plans;
mod random_payments;
mod random_stock;
mod raw_sql;
mod refund;
mod refund_flow;
mod release;
mod report;
mod review;
mod sell;
mod setup;
mod stock_alert;
mod stream;
mod test_provider;
mod user_data;

//! The contract of the store: one suite of facts, each run on SQLite and on PostgreSQL.
//!
//! A fact is one async function that takes a [`Fixture`](fixture::Fixture); `facts!` makes the tests `sqlite::fact` and
//! `postgres::fact` of it. Tests that need one particular database, or both together, have files of their own:
//! `both_databases` (the same batches on both), `migrate`, `migrate_orders`, `setup`, `postgres_faults`, `connection_settings`,
//! `query_plans`, `large_report`, `sold_out`, `full_disk`.

mod account;
mod address;
mod audit;
mod billing;
mod both_databases;
mod builders;
mod chat;
mod checkout;
mod comparison;
mod connection_settings;
mod coupon;
mod coupon_builders;
mod coupon_claim;
mod dispute;
mod fixture;
mod follow;
mod full_disk;
mod holds;
mod idempotency;
mod imports;
mod invite;
mod large_report;
mod lineup;
mod lost_payment;
mod mail;
mod migrate;
mod migrate_orders;
mod offer;
mod open_order;
mod order;
mod payment;
mod payment_adapter;
mod payment_day;
mod payment_details;
mod payment_faults;
mod payment_flow;
mod payment_hold;
mod payment_queue;
mod picture;
mod placed_order;
mod postgres_faults;
mod product;
mod query_plans;
mod random_payments;
mod random_stock;
mod raw_sql;
mod refund;
mod refund_flow;
mod release;
mod report;
mod report_sums;
mod review;
mod sanction;
mod sell;
mod setup;
mod shop_order;
mod sign_in_code;
mod sold_out;
mod staff;
mod stock_alert;
mod stream;
mod stripe;
mod stripe_card;
mod stripe_erased_card;
mod stripe_keys;
mod stripe_refund;
mod stripe_removed_card;
mod stripe_saved_card;
mod test_provider;
mod token_revocation;
mod user_data;

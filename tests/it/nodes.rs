//! Several nodes of one shop: real processes on one PostgreSQL and one Redis.

mod drain;
pub mod fixture;
mod missed_events;
mod moderate;
mod outage;
mod room;
mod rules;
mod shop_wide;
mod stripe_keys;
mod team;
mod token;

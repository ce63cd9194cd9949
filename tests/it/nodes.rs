//! Many nodes, one shop: real processes on one Postgres and one Redis.

mod drain;
mod fixture;
mod missed;
mod moderate;
mod outage;
mod room;
mod rules;
mod team;

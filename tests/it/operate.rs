//! What an operator sees: starting, stopping, what refuses to start, what goes away and comes back.

mod api;
mod failover;
mod origin;
mod outage;
mod start;
mod stop;

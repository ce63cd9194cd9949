//! What an operator sees: starting, stopping, what refuses to start, what goes away and comes back, what is told of it.

mod api;
mod backup;
mod deploy;
mod failover;
mod metrics;
mod origin;
mod outage;
mod page;
mod share;
mod stand;
mod start;
mod stop;

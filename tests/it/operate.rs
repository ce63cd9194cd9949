//! Operation: start, shutdown, outages and failover, metrics and the files for operators.

mod api;
mod backup;
mod behind_proxy;
mod broker_permissions;
mod cluster;
mod command_line;
mod demo_access;
mod demo_crowd;
mod deploy;
mod failover;
mod living_standby;
mod lost_commit;
mod metrics;
mod origin;
mod outage;
mod page;
mod pooler;
mod privacy;
mod proxies;
mod settings;
mod share;
#[cfg(feature = "otel")]
mod spans;
mod start;
mod stop;
mod token_rules;

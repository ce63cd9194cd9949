//! The staff of the shop: its set-up by the owner, invites, roles, and the settings that change without a restart.

mod api_key;
mod audit_log;
pub mod first_start;
mod invite;
mod mail_server;
mod passkey;
pub mod role;
mod settings;
mod stripe_keys;

//! The staff of the shop: its set-up by the owner, invites, roles, and the settings that change without a restart.

mod first_start;
mod invite;
mod role;
mod settings;

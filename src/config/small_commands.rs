//! The settings of the commands that do one thing and end.

use std::net::SocketAddr;

use clap::Args;

use super::AuthKeyArgs;
use super::value::listen_address;

#[derive(Args, Debug)]
pub struct MigrateArgs {
    /// Database to migrate: postgres://USER@HOST/DATABASE or sqlite:PATH
    #[arg(long, env = "LIVESOUK_STORE", value_name = "URL", hide_env_values = true)]
    pub store: String,
}

#[derive(Args, Debug)]
pub struct TokenArgs {
    #[command(flatten)]
    pub signing: AuthKeyArgs,
    /// Your own id of the user, 1 to 64 visible characters
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// Name that other users see, 1 to 40 characters
    #[arg(long)]
    pub name: String,
    /// Role: viewer, moderator, producer, analyst, host or admin
    #[arg(long)]
    pub role: String,
    /// Id of the one show in which the role is valid; default: all shows
    #[arg(long, value_name = "ID")]
    pub stream: Option<uuid::Uuid>,
    /// Id of the token (`jti`), by which it can be revoked; default: a random one
    #[arg(long, value_name = "ID")]
    pub jti: Option<String>,
    /// Lifetime of the token in seconds; a server accepts at most its --token-max-ttl, by default 90 days (7776000)
    #[arg(long, default_value_t = 86_400, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(1..=31_536_000))]
    pub ttl: i64,
}

#[derive(Args, Debug)]
pub struct OwnerArgs {
    /// What to do: `recover` prints a link that signs in as the first owner, or makes one; it works once, for 24 hours, and replaces
    /// every earlier link. A server on SQLite must be stopped for that moment
    pub action: OwnerAction,
    /// Database of the shop: sqlite:PATH or postgres://USER@HOST/DATABASE
    #[arg(
        long,
        env = "LIVESOUK_STORE",
        default_value = "sqlite:livesouk.db",
        value_name = "URL",
        hide_env_values = true
    )]
    pub store: String,
    /// Public address of the shop, with which the link begins
    #[arg(long, env = "LIVESOUK_BASE_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub base_url: String,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum OwnerAction {
    Recover,
}

#[derive(Args, Debug)]
pub struct HealthArgs {
    /// Address on which the node listens
    #[arg(long, env = "LIVESOUK_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub listen: SocketAddr,
}

#[derive(Args, Debug)]
pub struct CompletionArgs {
    /// Shell that reads the completions
    pub shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub struct ManArgs {
    /// Command whose page is printed; default: the page of livesouk itself
    pub command: Option<String>,
}

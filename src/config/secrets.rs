//! The settings of secrets in the database, and of addresses that are typed on pages.

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use super::value::address_range;

#[derive(Args, Debug, Default)]
pub struct SecretArgs {
    /// Key that encrypts secrets in the database, like the password of the mail server: 32 bytes in base64. Default: none, and the pages
    /// store no such secrets
    #[arg(long, env = "LIVESOUK_SECRETS_KEY", value_name = "KEY", hide_env_values = true)]
    pub secrets_key: Option<String>,
    /// Address or network (CIDR) of your own to which an address that is typed on a page may lead, like a mail server at 10.0.0.5; may be
    /// repeated. Default: public addresses only
    #[arg(long = "allow-private-address", env = "LIVESOUK_ALLOW_PRIVATE_ADDRESS", value_name = "LIST", value_delimiter = ',', value_parser = address_range)]
    pub private_addresses: Vec<IpNet>,
}

#[derive(Args, Debug)]
pub struct SecretsCommandArgs {
    /// What to do: `rekey` encrypts the secrets in the database with another key. A server on SQLite must be stopped for that moment
    pub action: SecretsAction,
    /// Database of the shop: sqlite:PATH or postgres://USER@HOST/DATABASE
    #[arg(
        long,
        env = "LIVESOUK_STORE",
        default_value = "sqlite:livesouk.db",
        value_name = "URL",
        hide_env_values = true
    )]
    pub store: String,
    /// Key with which the secrets are encrypted now
    #[arg(long, env = "LIVESOUK_OLD_SECRETS_KEY", value_name = "KEY", hide_env_values = true)]
    pub old: Option<String>,
    /// Key with which they are encrypted from now on
    #[arg(long, env = "LIVESOUK_NEW_SECRETS_KEY", value_name = "KEY", hide_env_values = true)]
    pub new: Option<String>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretsAction {
    Rekey,
}

//! Every setting: a flag, an environment variable, a default and one line of help. Settings are parsed and validated once, here.
//! How variables and files are read is in `sources.rs`, and holds for every setting.

mod limits;
mod log;
mod mail;
mod oidc;
mod pages;
mod payment_adapter;
mod pictures;
mod reconcile;
mod secrets;
mod small_commands;
mod sources;
mod stripe;
mod tokens;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;

use value::{address_range, compact_list, listen_address};

pub use limits::{LimitArgs, NamesShown};
pub use log::{LogArgs, LogFormat};
pub use mail::{MailAction, MailArgs, MailCommandArgs};
pub use oidc::OidcArgs;
pub use pages::{PageArgs, VideoArgs};
pub use payment_adapter::AdapterArgs;
pub use pictures::{PictureArgs, PictureLocation, folder_beside};
pub use reconcile::ReconcileArgs;
pub use secrets::{SecretArgs, SecretsAction, SecretsCommandArgs};
pub use small_commands::{CompletionArgs, HealthArgs, ManArgs, MigrateArgs, OwnerAction, OwnerArgs, TokenArgs};
pub use sources::{command, parse};
pub use stripe::StripeArgs;
pub use tokens::{AuthKeyArgs, TokenRuleArgs};

/// The version and the commit from which this binary was built, like `0.1.0 (1a2b3c4d5e6f)`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LIVESOUK_COMMIT"), ")");
/// The commit alone; `debug build` or `unknown commit` if there is none.
pub const COMMIT: &str = env!("LIVESOUK_COMMIT");

/// A self-hosted real-time server for live-stream shopping.
#[derive(Parser, Debug)]
#[command(name = "livesouk", version = VERSION, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[allow(clippy::large_enum_variant, reason = "there is one value in a process")]
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run a complete demo shop on this machine: SQLite, one process, nothing to configure
    Demo(DemoArgs),
    /// Run a node of your shop
    Serve(ServeArgs),
    /// Migrate a database to this version; safe to repeat, and safe to run from two places at once
    Migrate(MigrateArgs),
    /// Sign a user token, as your own site would
    Token(TokenArgs),
    /// Send a test message: `livesouk mail test --to you@shop.example`
    Mail(MailCommandArgs),
    /// Print a link for the owner of the shop: `livesouk owner recover`, for whoever has its machine
    Owner(OwnerArgs),
    /// Encrypt the secrets in the database with another key: `livesouk secrets rekey`
    Secrets(SecretsCommandArgs),
    /// Compare the payment provider with the orders, as after a restore of the database: repairs what follows from both, and prints the rest.
    /// Exit code 0: nothing is left to do, 3: something is
    Reconcile(ReconcileArgs),
    /// Check the health of the node on this machine: exit code 0 if it answers; for containers without a shell
    Healthy(HealthArgs),
    /// Print the completions of a shell: `livesouk completions bash > /etc/bash_completion.d/livesouk`
    Completions(CompletionArgs),
    /// Print the manual page of livesouk, or of one of its commands: `livesouk man serve | man -l -`
    Man(ManArgs),
}

#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Address to listen on; port 0 takes any free port, :8080 is port 8080 on every IPv4 address
    #[arg(long, env = "LIVESOUK_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub listen: SocketAddr,
    /// Folder with the data of the demo shop
    #[arg(long, env = "LIVESOUK_DATA", default_value = "./livesouk-data", value_name = "FOLDER")]
    pub data: PathBuf,
    /// Print the addresses, offers and host token as one line of JSON on stdout, for scripts
    #[arg(long)]
    pub json: bool,
    /// Leave out the simulated viewers, and the video of a new demo; with --json there are no simulated viewers anyway
    #[arg(long)]
    pub no_crowd: bool,
    /// Name under which browsers reach the demo, besides loopback and IP addresses; may be repeated
    #[arg(long = "host", env = "LIVESOUK_HOST", value_name = "NAME", value_delimiter = ',')]
    pub hosts: Vec<String>,
    /// Another site that may use this demo from a browser, like https://shop.example; may be repeated, * allows any site
    #[arg(long = "allow-origin", env = "LIVESOUK_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origins: Vec<String>,
    /// Public address of this demo behind a proxy, like https://demo.shop.example; then host tokens are given to nobody
    /// without the printed one
    #[arg(long, env = "LIVESOUK_BASE_URL", value_name = "URL")]
    pub base_url: Option<String>,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub video: VideoArgs,
    #[command(flatten)]
    pub payments: PaymentArgs,
    #[command(flatten)]
    pub mail: MailArgs,
    #[command(flatten)]
    pub pictures: PictureArgs,
    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Address to listen on; port 0 takes any free port, :8080 is port 8080 on every IPv4 address
    #[arg(long, env = "LIVESOUK_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub listen: SocketAddr,
    /// Address that serves /metrics, /healthz and /readyz without authentication; only your own network may reach it
    #[arg(long, env = "LIVESOUK_METRICS_LISTEN", value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub metrics_listen: Option<SocketAddr>,
    /// Database of the shop: sqlite:PATH or postgres://USER@HOST/DATABASE
    #[arg(
        long,
        env = "LIVESOUK_STORE",
        default_value = "sqlite:livesouk.db",
        value_name = "URL",
        hide_env_values = true
    )]
    pub store: String,
    /// Broker between the nodes: local (one node), redis://HOST:PORT (several servers, separated by commas, share the shows),
    /// or redis+cluster://HOST:PORT,HOST:PORT; rediss uses TLS
    #[arg(long, env = "LIVESOUK_BROKER", default_value = "local", value_name = "URL", value_parser = compact_list, hide_env_values = true)]
    pub broker: String,
    #[command(flatten)]
    pub signing: AuthKeyArgs,
    #[command(flatten)]
    pub tokens: TokenRuleArgs,
    /// Name of the shop; used when the database is new
    #[arg(long, env = "LIVESOUK_SHOP", default_value = "Livesouk", value_name = "TITLE")]
    pub shop: String,
    /// Currency of the shop (ISO 4217); used when the database is new
    #[arg(long, env = "LIVESOUK_CURRENCY", default_value = "USD", value_name = "CODE")]
    pub currency: String,
    /// PostgreSQL connections reserved for purchases
    #[arg(long, env = "LIVESOUK_SELL_CONNECTIONS", default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub sell_connections: u16,
    /// Another site that may use this server from a browser, like https://shop.example; may be repeated, * allows any site
    #[arg(long = "allow-origin", env = "LIVESOUK_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origins: Vec<String>,
    /// Public address of this server behind a proxy, like https://live.shop.example or https://shop.example/live
    #[arg(long, env = "LIVESOUK_BASE_URL", value_name = "URL")]
    pub base_url: Option<String>,
    /// Proxy whose X-Forwarded-For header is trusted: an IP address, or a range like 10.0.0.0/8; may be repeated
    #[arg(long = "trusted-proxy", env = "LIVESOUK_TRUSTED_PROXY", value_name = "IP", value_delimiter = ',', value_parser = address_range)]
    pub trusted_proxies: Vec<IpNet>,
    /// Payment provider. `stripe` takes real money, and so does `http`, an adapter of your own to any provider. `test` is for trials: it takes no money, and anybody can pay with it. Default: none,
    /// and nobody can pay until an owner sets keys of Stripe on the pages
    // A flag only: a variable that was left behind in an environment must not turn a shop into one that gives its goods away.
    #[arg(long = "payments", value_name = "PROVIDER")]
    pub payment_provider: Option<PaymentProviderName>,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub video: VideoArgs,
    #[command(flatten)]
    pub payments: PaymentArgs,
    #[command(flatten)]
    pub stripe: StripeArgs,
    #[command(flatten)]
    pub adapter: AdapterArgs,
    #[command(flatten)]
    pub mail: MailArgs,
    #[command(flatten)]
    pub oidc: OidcArgs,
    #[command(flatten)]
    pub secrets: SecretArgs,
    #[command(flatten)]
    pub pictures: PictureArgs,
    #[command(flatten)]
    pub pages: PageArgs,
    #[command(flatten)]
    pub log: LogArgs,
}

/// The payment providers that `--payments` accepts.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentProviderName {
    Stripe,
    Http,
    Test,
}

#[derive(Args, Debug)]
pub struct PaymentArgs {
    /// Secret with which the payment provider signs its webhooks, at least 32 bytes; default: a random one at each start
    #[arg(long, env = "LIVESOUK_WEBHOOK_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub webhook_secret: Option<String>,
    /// Requests a second to one endpoint of the payment provider, from all nodes; payments wait in a queue for their turn. Default: 25;
    /// with the test provider there is no queue
    #[arg(long, env = "LIVESOUK_PAYMENT_RATE", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub payment_rate: Option<u32>,
}

impl ServeArgs {
    /// Checks what no single value shows: that the settings fit together. `Err` is a message for the operator.
    pub fn check(&self) -> Result<(), String> {
        let on_sqlite = self.store.starts_with("sqlite:");
        if !on_sqlite && !self.store.starts_with("postgres://") && !self.store.starts_with("postgresql://") {
            return Err("--store (LIVESOUK_STORE) must be sqlite:PATH or postgres://USER@HOST/DATABASE".to_owned());
        }
        if self.uses_redis() && on_sqlite {
            let why = "Redis connects several nodes, and a SQLite file belongs to one node";
            return Err(format!(
                "--broker redis (LIVESOUK_BROKER) does not work with SQLite: {why}; use --broker local, or PostgreSQL"
            ));
        }
        if self.broker != "local" && !self.uses_redis() {
            let forms = "--broker must be local, redis://HOST:PORT or redis+cluster://HOST:PORT,HOST:PORT";
            return Err(format!("{forms} (variable LIVESOUK_BROKER)"));
        }
        if self.currency.len() != 3 || !self.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err("--currency (LIVESOUK_CURRENCY) must be three capital letters, like SAR".to_owned());
        }
        let has_secrets_key = self.secrets.secrets_key.is_some();
        check_provider(
            self.payment_provider,
            (&self.stripe, has_secrets_key),
            &self.adapter,
            self.base_url.as_deref(),
        )?;
        self.payments.check()
    }

    fn uses_redis(&self) -> bool {
        self.broker.starts_with("redis")
    }

    /// A warning for settings that are allowed but surprising.
    pub fn warning(&self) -> Option<&'static str> {
        (self.store.starts_with("postgres") && !self.uses_redis())
            .then_some("PostgreSQL with --broker local: nodes share offers and orders, but not rooms and chat")
    }
}

/// Checks what the payment provider needs. `Err` is a message for the operator.
fn check_provider(
    provider: Option<PaymentProviderName>,
    (stripe, has_secrets_key): (&StripeArgs, bool),
    adapter: &AdapterArgs,
    base_url: Option<&str>,
) -> Result<(), String> {
    match provider {
        Some(PaymentProviderName::Stripe) => stripe.check(base_url, has_secrets_key),
        Some(PaymentProviderName::Http) => adapter.check(base_url),
        // An owner may set keys on the pages.
        None => stripe.check_addresses(false),
        Some(PaymentProviderName::Test) => Ok(()),
    }
}

/// A shorter secret could be guessed.
const SECRET_BYTES_MIN: usize = 32;

impl PaymentArgs {
    pub fn check(&self) -> Result<(), String> {
        match &self.webhook_secret {
            Some(secret) if secret.len() < SECRET_BYTES_MIN => {
                Err("--webhook-secret (LIVESOUK_WEBHOOK_SECRET) must have at least 32 bytes".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;

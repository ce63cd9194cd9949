//! Every setting: a flag, an environment variable, a default and one line of help. Settings are parsed and validated once, here.
//! How variables and files are read is in `sources.rs`, and holds for every setting.

mod mail;
mod oidc;
mod payment_adapter;
mod pictures;
mod reconcile;
mod secrets;
mod sources;
mod stripe;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;

use value::{address_range, compact_list, listen_address, log_filter, number};

pub use mail::{MailAction, MailArgs, MailCommandArgs};
pub use oidc::OidcArgs;
pub use payment_adapter::AdapterArgs;
pub use pictures::{PictureArgs, PicturePlace, folder_beside};
pub use reconcile::ReconcileArgs;
pub use secrets::{SecretArgs, SecretsAction, SecretsCommandArgs};
pub use sources::{command, parse};
pub use stripe::StripeArgs;

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

#[derive(Args, Debug)]
pub struct PageArgs {
    /// Host from which the pages may load images, like https://cdn.example or https://*.cdn.example; may be repeated. Default: any
    /// HTTPS address
    #[arg(long = "img-host", env = "LIVESOUK_IMG_HOST", value_name = "HOST", value_delimiter = ',')]
    pub img_hosts: Vec<String>,
    /// Host from which the pages may play videos; may be repeated. Default: any address
    #[arg(long = "media-host", env = "LIVESOUK_MEDIA_HOST", value_name = "HOST", value_delimiter = ',')]
    pub media_hosts: Vec<String>,
    /// Host to which the scripts of the pages may connect, beside this server; may be repeated. Default: any address
    #[arg(long = "connect-host", env = "LIVESOUK_CONNECT_HOST", value_name = "HOST", value_delimiter = ',')]
    pub connect_hosts: Vec<String>,
}

/// The payment providers that `--payments` accepts.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentProviderName {
    Stripe,
    Http,
    Test,
}

/// How `--purchase-names` names buyers.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum NamesShown {
    Full,
    Initials,
    Hidden,
}

#[derive(Args, Debug)]
pub struct AuthKeyArgs {
    /// Key that signs user tokens, at least 32 bytes; to rotate keys, put the new one first. A new shop that is served without makes one
    /// and keeps it in its database
    #[arg(
        long = "auth-key",
        env = "LIVESOUK_AUTH_KEY",
        value_name = "KEY",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub auth_keys: Vec<String>,
}

#[derive(Args, Debug)]
pub struct TokenRuleArgs {
    /// Highest role that the tokens of an --auth-key may have: one for all keys, or one for each in the same order, like
    /// admin,viewer; default: admin. One key needs admin: it signs the tokens of this server
    #[arg(long = "auth-key-max-role", env = "LIVESOUK_AUTH_KEY_MAX_ROLE", value_name = "ROLE", value_delimiter = ',')]
    pub auth_key_max_roles: Vec<String>,
    /// File or https URL of a key set (JWKS): its EdDSA (Ed25519) and ES256 keys verify tokens too; may be repeated
    #[arg(long, env = "LIVESOUK_JWKS", value_name = "PATH|URL", value_delimiter = ',')]
    pub jwks: Vec<String>,
    /// Highest role that the tokens of a key set may have: one for all of them, or one for each in the same order; default: admin
    #[arg(long = "jwks-max-role", env = "LIVESOUK_JWKS_MAX_ROLE", value_name = "ROLE", value_delimiter = ',')]
    pub jwks_max_roles: Vec<String>,
    /// Longest lifetime of a token in seconds, from its `iat` to its `exp`; a token without `iat` may end this long after now
    #[arg(long = "token-max-ttl", env = "LIVESOUK_TOKEN_MAX_TTL", default_value_t = 7_776_000, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(60..=315_360_000))]
    pub max_ttl_s: i64,
    /// Audience that a token must name in `aud`; may be repeated, one of them is enough. Default: `aud` is not checked
    #[arg(long = "audience", env = "LIVESOUK_AUDIENCE", value_name = "AUD", value_delimiter = ',')]
    pub audiences: Vec<String>,
    /// Issuer that a token must have as `iss`; may be repeated, one of them is enough. Default: `iss` is not checked
    #[arg(long = "issuer", env = "LIVESOUK_ISSUER", value_name = "ISS", value_delimiter = ',')]
    pub issuers: Vec<String>,
}

#[derive(Args, Debug)]
pub struct LimitArgs {
    /// Chat rate limit of a viewer in messages per second, with a burst of five; 0 turns it off
    #[arg(long, env = "LIVESOUK_CHAT_PER_SECOND", default_value_t = 1.0, value_name = "N", value_parser = number(0.0..=1_000.0))]
    pub chat_per_second: f64,
    /// Chat rate limit of all viewers of a show together, in messages per second on one node; the host and moderators have
    /// priority; 0 turns it off
    #[arg(long, env = "LIVESOUK_ROOM_CHAT_PER_SECOND", default_value_t = 50.0, value_name = "N", value_parser = number(0.0..=100_000.0))]
    pub room_chat_per_second: f64,
    /// How the chat names a buyer when it tells everybody of a purchase: full, initials or hidden
    #[arg(long, env = "LIVESOUK_PURCHASE_NAMES", default_value = "full", value_name = "HOW")]
    pub purchase_names: NamesShown,
    /// Days after which chat messages are deleted; 0 keeps them forever
    #[arg(long, env = "LIVESOUK_CHAT_DAYS", default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub chat_days: u32,
    /// Days after which delivery addresses are erased, counted from the end of an order that is not delivered, and from the day on
    /// which a paid one was sent; 0 keeps them forever
    #[arg(long, env = "LIVESOUK_ADDRESS_DAYS", default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub address_days: u32,
    /// Days after which e-mails that were sent or have failed are deleted from the log; 0 keeps them forever
    #[arg(long, env = "LIVESOUK_MAIL_DAYS", default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub mail_days: u32,
    /// Maximum number of open connections, viewers and requests together; default: what the limit on open files allows, at most
    /// 100000
    #[arg(long, env = "LIVESOUK_CONNECTIONS_MAX", value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000_000))]
    pub connections_max: Option<usize>,
    /// WebSocket connections admitted per second, with a burst of twice that; the others get a time to retry. Default: 1000 per
    /// core; 0 admits everybody
    #[arg(long, env = "LIVESOUK_JOINS_PER_SECOND", value_name = "N", value_parser = number(0.0..=1_000_000.0))]
    pub joins_per_second: Option<f64>,
    /// Connections of one client address that count as viewers, without those of signed-in users; an IPv6 address counts as its
    /// /64 network. When connections run short, an address gets no more than this. 0 turns the limit off
    #[arg(long, env = "LIVESOUK_CONNECTIONS_PER_ADDRESS", default_value_t = 2_000, value_name = "N")]
    pub connections_per_address: usize,
    /// Addresses and networks (CIDR) without a limit per address, separated by commas; replaces the default
    #[arg(
        long,
        env = "LIVESOUK_ADDRESS_EXEMPT",
        default_value = "127.0.0.0/8,::1",
        value_name = "LIST",
        value_delimiter = ',',
        value_parser = address_range
    )]
    pub address_exempt: Vec<IpNet>,
    /// Limits of each user and connection: sockets, purchases, payments, cancellations, lapsed reservations, frames per second.
    /// Off only for load tests
    #[arg(long, env = "LIVESOUK_REQUEST_LIMITS", default_value_t = true, action = clap::ArgAction::Set, value_name = "true|false")]
    pub request_limits: bool,
    /// Compress broadcasts for clients that offer permessage-deflate: fewer bytes for a little more CPU time
    #[arg(long, env = "LIVESOUK_DEFLATE", default_value_t = true, action = clap::ArgAction::Set, value_name = "true|false")]
    pub deflate: bool,
    /// Seconds between the shutdown signal and the drain: the node serves as before, but /readyz fails, so that a load balancer
    /// stops sending traffic; default: 5 with a shared broker and 0 without
    #[arg(long, env = "LIVESOUK_GRACE_SECONDS", value_name = "N", value_parser = number(0.0..=600.0))]
    pub grace_seconds: Option<f64>,
    /// Seconds over which viewers are moved to other nodes during shutdown
    #[arg(long, env = "LIVESOUK_DRAIN_SECONDS", default_value_t = 0.5, value_name = "N", value_parser = number(0.0..=600.0))]
    pub drain_seconds: f64,
}

#[derive(Args, Debug, Default)]
pub struct VideoArgs {
    /// File of hls.js (its module), which plays the video in browsers that cannot play HLS themselves; scripts/hls-js fetches it.
    /// Default: such browsers show a link
    #[arg(long = "hls-js", env = "LIVESOUK_HLS_JS", value_name = "PATH")]
    pub hls_js: Option<PathBuf>,
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

#[derive(Args, Debug)]
pub struct LogArgs {
    /// Log level: error, warn, info, debug, trace or off, or several like info,livesouk=debug
    #[arg(long = "log", env = "LIVESOUK_LOG", default_value = "info", value_name = "FILTER", value_parser = log_filter)]
    pub filter: String,
    /// Log format: text for people, or one JSON object per line
    #[arg(long = "log-format", env = "LIVESOUK_LOG_FORMAT", default_value = "text")]
    pub format: LogFormat,
    /// Address of an OpenTelemetry collector (OTLP over HTTP) that receives spans, like http://127.0.0.1:4318/v1/traces
    #[cfg(feature = "otel")]
    #[arg(long, env = "LIVESOUK_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    Text,
    Json,
}

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

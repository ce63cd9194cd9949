//! Every setting: a flag, an environment variable, a default and one line of help. Checked once; after that no code parses.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A self-hosted real-time server for live-stream shopping.
#[derive(Parser, Debug)]
#[command(name = "livesouk", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run a whole demo shop on this machine: SQLite, one process, nothing to configure
    Demo(DemoArgs),
    /// Run a node of your shop
    Serve(ServeArgs),
    /// Bring a database up to this version; safe to run twice, and from two places at once
    Migrate(MigrateArgs),
    /// Sign a token, as your own site would
    Token(TokenArgs),
    /// Say by the exit code whether the node on this machine answers; for containers without a shell
    Healthy(HealthArgs),
}

#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Where to listen; port 0 takes any free port, :8080 is port 8080 of every IPv4 address
    #[arg(long, env = "LIVESOUK_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = parse_address)]
    pub listen: SocketAddr,
    /// The folder that keeps the demo shop
    #[arg(long, env = "LIVESOUK_DATA", default_value = "./livesouk-data", value_name = "FOLDER")]
    pub data: PathBuf,
    /// Print what was started as one line of JSON on stdout, for scripts
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub payments: PaymentArgs,
    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes any free port, :8080 is port 8080 of every IPv4 address
    #[arg(long, env = "LIVESOUK_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = parse_address)]
    pub listen: SocketAddr,
    /// Tell /metrics, /healthz and /readyz here too, to whoever asks: an address that only your own network reaches
    #[arg(long, env = "LIVESOUK_METRICS_LISTEN", value_name = "ADDRESS:PORT", value_parser = parse_address)]
    pub metrics_listen: Option<SocketAddr>,
    /// Where the shop is kept: sqlite:PATH or postgres://USER@HOST/DATABASE
    #[arg(
        long,
        env = "LIVESOUK_STORE",
        default_value = "sqlite:livesouk.db",
        value_name = "URL",
        hide_env_values = true
    )]
    pub store: String,
    /// How nodes hear each other: local (one node), redis://HOST:PORT (several with commas share the shows), or
    /// redis+cluster://HOST:PORT,HOST:PORT; rediss is TLS
    #[arg(long, env = "LIVESOUK_BROKER", default_value = "local", value_name = "URL", hide_env_values = true)]
    pub broker: String,
    /// The key that tokens are signed with, at least 32 bytes; give the new one first to rotate
    #[arg(
        long = "auth-key",
        env = "LIVESOUK_AUTH_KEY",
        value_name = "KEY",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub auth_keys: Vec<String>,
    /// The shop's name, used when the store is new
    #[arg(long, env = "LIVESOUK_SHOP", default_value = "Livesouk", value_name = "TITLE")]
    pub shop: String,
    /// The shop's currency (ISO 4217), used when the store is new
    #[arg(long, env = "LIVESOUK_CURRENCY", default_value = "USD", value_name = "CODE")]
    pub currency: String,
    /// Connections to Postgres kept for buying alone
    #[arg(long, env = "LIVESOUK_SELL_CONNECTIONS", default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub sell_connections: u16,
    /// Another site that may use this server from a browser, like https://shop.example; repeat for more, * for any
    #[arg(long = "allow-origin", env = "LIVESOUK_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origins: Vec<String>,
    /// How browsers reach this server when a proxy stands before it, like https://live.shop.example
    #[arg(long, env = "LIVESOUK_BASE_URL", value_name = "URL")]
    pub base_url: Option<String>,
    /// A proxy whose X-Forwarded-For is believed, as an IP address; repeat for more
    #[arg(long = "trusted-proxy", env = "LIVESOUK_TRUSTED_PROXY", value_name = "IP", value_delimiter = ',')]
    pub trusted_proxies: Vec<std::net::IpAddr>,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub payments: PaymentArgs,
    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Args, Debug)]
pub struct LimitArgs {
    /// Messages a viewer may send each second on average, five in a burst; 0 turns the budget off
    #[arg(long, env = "LIVESOUK_CHAT_PER_SECOND", default_value_t = 1.0, value_name = "N")]
    pub chat_per_second: f64,
    /// Messages a show's viewers may send together each second on average, on one node; host and moderators go first;
    /// 0 turns the budget off
    #[arg(long, env = "LIVESOUK_ROOM_CHAT_PER_SECOND", default_value_t = 50.0, value_name = "N")]
    pub room_chat_per_second: f64,
    /// Days that talk is kept; what is older is deleted. 0 keeps it for ever
    #[arg(long, env = "LIVESOUK_CHAT_DAYS", default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub chat_days: u32,
    /// Connections at once, viewers and requests together; not given, what the limit on open files allows, at most 100000
    #[arg(long, env = "LIVESOUK_CONNECTIONS_MAX", value_name = "N")]
    pub connections_max: Option<usize>,
    /// Viewers let in each second, twice that in a burst; the others are told when to come. Not given, 1000 for each
    /// core; 0 lets everybody in
    #[arg(long, env = "LIVESOUK_JOINS_PER_SECOND", value_name = "N")]
    pub joins_per_second: Option<f64>,
    /// Deflate what a room says for clients that offer it (permessage-deflate): fewer bytes for a little more work
    #[arg(long, env = "LIVESOUK_DEFLATE", default_value_t = true, action = clap::ArgAction::Set, value_name = "true|false")]
    pub deflate: bool,
    /// How long to go on as before once asked to stop, with /readyz saying no, so that a balancer sends nobody any more;
    /// not given, 5 with a shared broker and 0 without
    #[arg(long, env = "LIVESOUK_GRACE_SECONDS", value_name = "N")]
    pub grace_seconds: Option<f64>,
    /// How long viewers are given to move to another node once this one is asked to stop, in seconds
    #[arg(long, env = "LIVESOUK_DRAIN_SECONDS", default_value_t = 0.5, value_name = "N")]
    pub drain_seconds: f64,
}

#[derive(Args, Debug)]
pub struct PaymentArgs {
    /// What the payment provider signs its webhooks with, at least 32 bytes; made up at each start if not given
    #[arg(long, env = "LIVESOUK_WEBHOOK_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub webhook_secret: Option<String>,
}

#[derive(Args, Debug)]
pub struct LogArgs {
    /// What to log: error, warn, info, debug, or a filter like livesouk=debug
    #[arg(long = "log", env = "LIVESOUK_LOG", default_value = "info", value_name = "FILTER")]
    pub filter: String,
    /// How to log: lines for people, or a JSON object a line
    #[arg(long = "log-format", env = "LIVESOUK_LOG_FORMAT", default_value = "text")]
    pub format: LogFormat,
    /// Where to send spans: an OpenTelemetry collector that takes OTLP over HTTP, like http://127.0.0.1:4318/v1/traces
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
    /// The database: postgres://USER@HOST/DATABASE or sqlite:PATH
    #[arg(long, env = "LIVESOUK_STORE", value_name = "URL", hide_env_values = true)]
    pub store: String,
}

#[derive(Args, Debug)]
pub struct TokenArgs {
    /// The key to sign with, at least 32 bytes
    #[arg(
        long = "auth-key",
        env = "LIVESOUK_AUTH_KEY",
        value_name = "KEY",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub auth_keys: Vec<String>,
    /// Who it is for: your own id of the person, 1 to 64 visible characters
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// The name others see, 1 to 40 characters
    #[arg(long)]
    pub name: String,
    /// viewer, moderator, producer, analyst, host or admin
    #[arg(long)]
    pub role: String,
    /// The one show the role holds in; without it, all shows
    #[arg(long, value_name = "ID")]
    pub stream: Option<uuid::Uuid>,
    /// How long the token is good for, in seconds
    #[arg(long, default_value_t = 86_400, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(1..=31_536_000))]
    pub ttl: i64,
}

/// An address of numbers. A port alone means all addresses, as other servers have it; `localhost` is 127.0.0.1.
fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let numbers = match text.strip_prefix("localhost:").or(text.strip_prefix(':')) {
        Some(port) if text.starts_with(':') => format!("0.0.0.0:{port}"),
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numbers.parse().map_err(|_| "it is like 127.0.0.1:8080, [::]:8080 or :8080".to_owned())
}

#[derive(Args, Debug)]
pub struct HealthArgs {
    /// Where it listens
    #[arg(long, env = "LIVESOUK_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = parse_address)]
    pub listen: SocketAddr,
}

impl ServeArgs {
    /// What clap cannot know: that the settings fit each other. `Err` is the sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        let on_sqlite = self.store.starts_with("sqlite:");
        if !on_sqlite && !self.store.starts_with("postgres://") && !self.store.starts_with("postgresql://") {
            return Err("--store is sqlite:PATH or postgres://USER@HOST/DATABASE".to_owned());
        }
        if self.uses_redis() && on_sqlite {
            let why = "Redis joins nodes, and a SQLite file belongs to one";
            return Err(format!("--broker redis is not possible here: {why}; use --broker local, or Postgres"));
        }
        if self.broker != "local" && !self.uses_redis() {
            return Err("--broker is local, redis://HOST:PORT or redis+cluster://HOST:PORT,HOST:PORT".to_owned());
        }
        if self.currency.len() != 3 || !self.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err("--currency is three capital letters, like SAR".to_owned());
        }
        self.payments.check()?;
        self.limits.check()
    }

    fn uses_redis(&self) -> bool {
        self.broker.starts_with("redis")
    }

    /// Allowed, but somebody should know.
    pub fn warning(&self) -> Option<&'static str> {
        (self.store.starts_with("postgres") && !self.uses_redis())
            .then_some("Postgres with --broker local: selling is shared between nodes, rooms are not")
    }
}

/// A shorter one could be guessed.
const SECRET_BYTES_MIN: usize = 32;

impl PaymentArgs {
    pub fn check(&self) -> Result<(), String> {
        match &self.webhook_secret {
            Some(secret) if secret.len() < SECRET_BYTES_MIN => Err("--webhook-secret has at least 32 bytes".to_owned()),
            _ => Ok(()),
        }
    }
}

impl LimitArgs {
    pub fn check(&self) -> Result<(), String> {
        if !(0.0..=1_000.0).contains(&self.chat_per_second) {
            return Err("--chat-per-second is 0 to 1000".to_owned());
        }
        if !(0.0..=100_000.0).contains(&self.room_chat_per_second) {
            return Err("--room-chat-per-second is 0 to 100000".to_owned());
        }
        if self.connections_max == Some(0) {
            return Err("--connections-max is at least 1".to_owned());
        }
        if !(0.0..=1_000_000.0).contains(&self.joins_per_second.unwrap_or(0.0)) {
            return Err("--joins-per-second is 0 to 1000000".to_owned());
        }
        if !(0.0..=600.0).contains(&self.grace_seconds.unwrap_or(0.0)) {
            return Err("--grace-seconds is 0 to 600".to_owned());
        }
        if !(0.0..=600.0).contains(&self.drain_seconds) {
            return Err("--drain-seconds is 0 to 600".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn serve(more: &[&str]) -> ServeArgs {
        let args = ["livesouk", "serve", "--auth-key", "k"].iter().chain(more);
        match Cli::parse_from(args).command {
            Command::Serve(serve) => serve,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_that_do_not_fit_are_named() {
        for (more, part) in [
            (vec!["--store", "mysql://x"], "--store is"),
            (vec!["--broker", "redis://x"], "SQLite"),
            (vec!["--broker", "kafka"], "--broker is local"),
            (vec!["--currency", "sar"], "--currency"),
            (vec!["--webhook-secret", "short"], "--webhook-secret"),
            (vec!["--chat-per-second", "-1"], "--chat-per-second"),
            (vec!["--room-chat-per-second", "200000"], "--room-chat-per-second"),
            (vec!["--connections-max", "0"], "--connections-max"),
            (vec!["--joins-per-second", "nan"], "--joins-per-second"),
            (vec!["--grace-seconds", "601"], "--grace-seconds"),
            (vec!["--drain-seconds", "601"], "--drain-seconds"),
        ] {
            let more: Vec<String> = more.iter().map(|arg| arg.replace("-1", "2000")).collect();
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            assert!(serve(&more).check().unwrap_err().contains(part), "{more:?}");
        }
        for fitting in [vec![], vec!["--broker", "redis://x", "--store", "postgres://x"]] {
            assert_eq!(serve(&fitting).check(), Ok(()), "{fitting:?}");
        }
    }

    #[test]
    fn a_port_alone_listens_everywhere() {
        for (text, expected) in [
            (":8080", Some("0.0.0.0:8080")),
            ("localhost:0", Some("127.0.0.1:0")),
            ("[::1]:80", Some("[::1]:80")),
            ("8080", None),
            ("shop.example:80", None),
            (":http", None),
        ] {
            assert_eq!(parse_address(text).ok(), expected.map(|address| address.parse().unwrap()), "{text}");
        }
    }
}

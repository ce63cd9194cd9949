//! The command line. [`LoadtestArgs::validate`] checks what clap cannot check: that the settings fit together.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use url::Url;

/// Linux finds the first half of an address's 28,000 ports at once, and searches long for each port of the second half.
const VIEWERS_PER_ADDRESS: u32 = 12_000;

/// What the simulated viewers do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Scenario {
    /// Connect and stay: connections, memory, viewer counts
    Watch,
    /// Chat at a steady rate: deliveries and their latency
    Chat,
    /// A flash sale: every viewer buys at the opening
    Rush,
    /// All connections break at once; every viewer reconnects with its position
    Storm,
    /// A fifth of the viewers read slowly or not at all; the others must not notice
    Slow,
    /// A whole show in short: arrivals, pins, chat, reactions, three flash sales, departures
    Show,
}

impl Scenario {
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Watch => "watch",
            Scenario::Chat => "chat",
            Scenario::Rush => "rush",
            Scenario::Storm => "storm",
            Scenario::Slow => "slow",
            Scenario::Show => "show",
        }
    }

    fn default_rate(self) -> f64 {
        match self {
            Scenario::Watch => 0.0,
            Scenario::Chat | Scenario::Slow | Scenario::Show => 20.0,
            Scenario::Rush => 5.0,
            Scenario::Storm => 10.0,
        }
    }
}

/// Load test for a Livesouk server: simulated viewers that check every frame they receive.
///
/// Exit code 0: all checks passed. 1: a promise was broken or the latency budget was missed. 2: wrong usage, or no
/// server.
#[derive(Parser, Clone, Debug)]
#[command(name = "loadtest", version)]
pub struct LoadtestArgs {
    /// What the viewers do
    #[arg(value_enum)]
    pub scenario: Scenario,
    /// The server, as http://HOST:PORT; behind a proxy that terminates TLS, give the address of the server itself
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: Url,
    /// A stream that is live already; without it, the load test creates its own streams and ends them afterwards
    #[arg(long, value_name = "ID")]
    pub stream: Option<uuid::Uuid>,
    /// Number of viewers in all rooms together
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub viewers: u32,
    /// Number of streams that the viewers are spread over
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rooms: u32,
    /// Messages per second in all rooms together [default: watch 0, chat 20, rush 5, storm 10, slow 20, show 20 at its peak]
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Seconds to measure after all viewers have connected; a rush takes at least 12, a show 24
    #[arg(long, default_value_t = 30, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Seconds over which the viewers connect
    #[arg(long, default_value_t = 5, value_name = "S", value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub ramp_s: u64,
    /// Units in each flash sale [default: a quarter of the viewers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    pub stock: Option<i64>,
    /// The same seed makes the same run
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Source addresses: a list, or how many of 127.0.0.1, 127.0.0.2… One address has 28,000 ports [default: chosen by the system; on loopback one for each 12,000 viewers]
    #[arg(long, value_name = "ADDRESSES|N", value_parser = parse_sources)]
    pub sources: Option<SourceAddresses>,
    /// The key that the server signs tokens with (its first --auth-key); not needed for `livesouk demo`
    #[arg(long, env = "LIVESOUK_AUTH_KEY", value_name = "KEY", hide_env_values = true)]
    pub auth_key: Option<String>,
    /// The server's --chat-per-second, so that senders stay below it; 0 when it is off
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    pub chat_per_second: f64,
    /// Offer compression (permessage-deflate), as browsers do
    #[arg(long)]
    pub deflate: bool,
    /// The server's database, for checking the orders: sqlite:PATH or postgres://…; read only [default: orders are checked over REST]
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// File for the whole result as JSON; - for stdout
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// File for the report as a page that needs no other file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Latency budget: p99 of chat (in a rush: of purchases; without both: of joins) in ms. If it is missed, the exit code is 1
    #[arg(long, value_name = "MS")]
    pub budget_p99_ms: Option<f64>,
    /// Print no progress on stderr, only the result
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceAddresses {
    Count(u8),
    List(Vec<IpAddr>),
}

fn parse_sources(text: &str) -> Result<SourceAddresses, String> {
    if let Ok(count) = text.parse::<u8>()
        && (1..=250).contains(&count)
    {
        return Ok(SourceAddresses::Count(count));
    }
    let list: Result<Vec<IpAddr>, _> = text.split(',').map(|one| one.trim().parse()).collect();
    list.map(SourceAddresses::List)
        .map_err(|_| "must be a number from 1 to 250, or IP addresses separated by commas".to_owned())
}

impl LoadtestArgs {
    /// `Err` is a sentence for the person who typed the command.
    pub fn validate(&self) -> Result<(), String> {
        if self.url.scheme() == "https" {
            return Err(
                "--url: only plain http:// is supported; give the address of the server behind the proxy".to_owned()
            );
        }
        if self.url.scheme() != "http" || self.url.host_str().is_none() {
            return Err("--url must be like http://127.0.0.1:8080".to_owned());
        }
        if !(0.0..=100_000.0).contains(&self.rate()) {
            return Err("--rate must be 0 to 100000 messages per second".to_owned());
        }
        if !(0.0..=1_000.0).contains(&self.chat_per_second) {
            return Err("--chat-per-second must be 0 to 1000".to_owned());
        }
        if self.budget_p99_ms.is_some_and(|ms| !(ms > 0.0 && ms < 1e9)) {
            return Err("--budget-p99-ms must be more than 0".to_owned());
        }
        if self.stream.is_some() && self.rooms > 1 {
            return Err("--stream is one stream, so --rooms must be 1".to_owned());
        }
        if self.stream.is_some() && self.scenario == Scenario::Show {
            return Err(
                "the scenario show needs a stream of its own, because it pins and sells: leave --stream out".to_owned()
            );
        }
        if self.viewers < self.rooms {
            return Err("--viewers: at least one for each room of --rooms is needed".to_owned());
        }
        if self.auth_key.as_ref().is_some_and(|key| key.len() < 32) {
            return Err("--auth-key must have at least 32 bytes".to_owned());
        }
        let store = self.store.as_deref().unwrap_or("sqlite:");
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|start| store.starts_with(start)) {
            return Err("--store must be sqlite:PATH or postgres://USER@HOST/DATABASE".to_owned());
        }
        if let Some(SourceAddresses::List(list)) = &self.sources
            && list.iter().any(|address| address.is_ipv6() != list[0].is_ipv6())
        {
            return Err("--sources: all addresses must be of one family, IPv4 or IPv6".to_owned());
        }
        Ok(())
    }

    pub fn rate(&self) -> f64 {
        self.rate.unwrap_or_else(|| self.scenario.default_rate())
    }

    pub fn ramp(&self) -> Duration {
        Duration::from_secs(self.ramp_s)
    }

    pub fn flash_sale_units(&self) -> i64 {
        self.stock.unwrap_or_else(|| i64::from(self.viewers / self.rooms / 4).max(1))
    }

    /// The addresses to connect from when the server is at `target`.
    pub fn source_addresses(&self, target: IpAddr) -> Vec<IpAddr> {
        let loopback = |count: u32| {
            (1..=count).map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, u8::try_from(last).unwrap_or(250)))).collect()
        };
        match &self.sources {
            Some(SourceAddresses::List(list)) => list.clone(),
            Some(SourceAddresses::Count(count)) => loopback(u32::from(*count)),
            None if target.is_loopback() && target.is_ipv4() && self.viewers > VIEWERS_PER_ADDRESS => {
                loopback(self.viewers.div_ceil(VIEWERS_PER_ADDRESS).min(250))
            }
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(more: &[&str]) -> Result<LoadtestArgs, String> {
        let line = ["loadtest"].iter().chain(more);
        let args = LoadtestArgs::try_parse_from(line).map_err(|error| error.to_string())?;
        args.validate().map(|()| args)
    }

    #[test]
    fn every_option_has_help() {
        LoadtestArgs::command().debug_assert();
        let command = LoadtestArgs::command();
        let silent: Vec<_> = command.get_arguments().filter(|arg| arg.get_help().is_none()).collect();
        assert!(silent.is_empty(), "{silent:?}");
    }

    #[test]
    fn bad_arguments_are_refused_with_a_sentence() {
        for (line, part) in [
            ("", "required"),
            ("dance", "possible values"),
            ("chat --url https://shop.example", "behind the proxy"),
            ("chat --url ftp://shop.example", "--url must be like"),
            ("chat --url nonsense", "relative URL"),
            ("chat --stream x", "--stream"),
            ("chat --viewers 0", "1..=1000000"),
            ("chat --rooms 200", "--viewers: at least one"),
            ("chat --rate=-1", "--rate must be"),
            ("chat --rate NaN", "--rate must be"),
            ("chat --seconds 0", "1..=86400"),
            ("chat --chat-per-second=-1", "--chat-per-second must be"),
            ("chat --budget-p99-ms 0", "--budget-p99-ms must be"),
            ("chat --auth-key short", "at least 32 bytes"),
            ("chat --store mysql://x", "--store must be"),
            ("chat --sources 0", "a number from 1 to 250"),
            ("chat --sources 127.0.0.1,x", "a number from 1 to 250"),
            ("chat --sources 127.0.0.1,::1", "one family"),
            ("chat --stream 0199e6a0-0000-7000-8000-000000000000 --rooms 2", "--rooms must be 1"),
            ("show --stream 0199e6a0-0000-7000-8000-000000000000", "a stream of its own"),
        ] {
            let line: Vec<&str> = line.split_whitespace().collect();
            let said = parse(&line).expect_err(&line.join(" "));
            assert!(said.contains(part), "{line:?}: {said}");
        }
    }

    #[test]
    fn defaults_fit_the_scenario() {
        let args = parse(&["rush", "--viewers", "1000"]).unwrap();
        assert_eq!((args.rate(), args.flash_sale_units()), (5.0, 250));
        let home: IpAddr = Ipv4Addr::LOCALHOST.into();
        assert!(args.source_addresses(home).is_empty());
        let many = parse(&["watch", "--viewers", "45000"]).unwrap();
        assert_eq!(many.source_addresses(home).len(), 4);
        let listed = parse(&["watch", "--sources", "127.0.0.5, 127.0.0.9"]).unwrap();
        assert_eq!(listed.source_addresses(home), ["127.0.0.5", "127.0.0.9"].map(|one| one.parse::<IpAddr>().unwrap()));
    }
}

//! The command line. What clap cannot know, that settings fit each other, is said in a sentence by [`Args::check`].

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use url::Url;

/// Linux finds the first half of an address's 28,000 ports at once and searches long for each of the second.
const VIEWERS_PER_ADDRESS: u32 = 12_000;

/// What the crowd does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Scenario {
    /// Join and hold: connections, memory, counts
    Watch,
    /// Talk at a steady rate: deliveries and their latency
    Chat,
    /// A flash sale: everybody presses buy at the opening
    Rush,
    /// All links break at once; everybody comes back with their position
    Storm,
    /// A fifth of the viewers read badly or not at all; the others must not notice
    Slow,
    /// A whole evening in short: arrivals, pins, talk, hearts, three flash sales, departures
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

/// A crowd for a Livesouk server: simulated viewers who check what they are told.
///
/// Exit code 0: all is well; 1: a promise was broken or the latency budget was missed; 2: wrong usage, or no server.
#[derive(Parser, Clone, Debug)]
#[command(name = "crowd", version)]
pub struct LoadtestArgs {
    /// What the crowd does
    #[arg(value_enum)]
    pub scenario: Scenario,
    /// The server, as http://HOST:PORT; behind a proxy that ends TLS give the server itself
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: Url,
    /// A show that is live already; without it the crowd makes shows of its own and ends them afterwards
    #[arg(long, value_name = "ID")]
    pub stream: Option<uuid::Uuid>,
    /// How many viewers, over all rooms
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub viewers: u32,
    /// How many shows of its own the viewers are spread over
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rooms: u32,
    /// Messages a second over all rooms [default: watch 0, chat 20, rush 5, storm 10, slow 20, show 20 at its height]
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Seconds to measure, after everybody has arrived; a rush takes at least 12, a show 24
    #[arg(long, default_value_t = 30, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Seconds over which the viewers arrive
    #[arg(long, default_value_t = 5, value_name = "S", value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub ramp_s: u64,
    /// Units in each flash sale [default: a quarter of the viewers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    pub stock: Option<i64>,
    /// Same seed, same crowd
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Addresses to come from: a list, or how many of 127.0.0.1, 127.0.0.2… One has 28,000 ports [default: the system picks; on loopback one for each 12,000 viewers]
    #[arg(long, value_name = "ADDRESSES|N", value_parser = parse_sources)]
    pub sources: Option<SourceAddresses>,
    /// The key the server signs tokens with (first --auth-key of the server); not needed for `livesouk demo`
    #[arg(long, env = "LIVESOUK_AUTH_KEY", value_name = "KEY", hide_env_values = true)]
    pub auth_key: Option<String>,
    /// The server's --chat-per-second, so that senders stay inside it; 0 when it is off
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    pub chat_per_second: f64,
    /// Offer compression (permessage-deflate), as browsers do
    #[arg(long)]
    pub deflate: bool,
    /// The server's database, to look orders up in: sqlite:PATH or postgres://…; read only [default: asked over REST]
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Where to put the whole result as JSON; - for stdout
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Where to put the report as a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// 99 of 100 messages (in a rush: answers to buyers; without any: joins) within so many ms, or the exit code is 1
    #[arg(long, value_name = "MS")]
    pub budget_p99_ms: Option<f64>,
    /// No progress on stderr, only the result
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
        .map_err(|_| "a number from 1 to 250, or IP addresses with commas between them".to_owned())
}

impl LoadtestArgs {
    /// `Err` is the sentence for whoever typed this.
    pub fn validate(&self) -> Result<(), String> {
        if self.url.scheme() == "https" {
            return Err(
                "--url: the crowd speaks plain http:// only; point it at the server behind the proxy".to_owned()
            );
        }
        if self.url.scheme() != "http" || self.url.host_str().is_none() {
            return Err("--url is like http://127.0.0.1:8080".to_owned());
        }
        if !(0.0..=100_000.0).contains(&self.rate()) {
            return Err("--rate is 0 to 100000 messages a second".to_owned());
        }
        if !(0.0..=1_000.0).contains(&self.chat_per_second) {
            return Err("--chat-per-second is 0 to 1000".to_owned());
        }
        if self.budget_p99_ms.is_some_and(|ms| !(ms > 0.0 && ms < 1e9)) {
            return Err("--budget-p99-ms is more than 0".to_owned());
        }
        if self.stream.is_some() && self.rooms > 1 {
            return Err("--stream is one show: --rooms must be 1 then".to_owned());
        }
        if self.stream.is_some() && self.scenario == Scenario::Show {
            return Err("show needs a show of its own: it pins and sells; leave --stream out".to_owned());
        }
        if self.viewers < self.rooms {
            return Err("--viewers: at least one for each of --rooms".to_owned());
        }
        if self.auth_key.as_ref().is_some_and(|key| key.len() < 32) {
            return Err("--auth-key has at least 32 bytes".to_owned());
        }
        let store = self.store.as_deref().unwrap_or("sqlite:");
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|start| store.starts_with(start)) {
            return Err("--store is sqlite:PATH or postgres://USER@HOST/DATABASE".to_owned());
        }
        if let Some(SourceAddresses::List(list)) = &self.sources
            && list.iter().any(|address| address.is_ipv6() != list[0].is_ipv6())
        {
            return Err("--sources: all of one family, IPv4 or IPv6".to_owned());
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

    /// Where to come from when the server is at `target`.
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
        let line = ["crowd"].iter().chain(more);
        let args = LoadtestArgs::try_parse_from(line).map_err(|error| error.to_string())?;
        args.validate().map(|()| args)
    }

    #[test]
    fn the_command_line_is_well_formed_and_every_option_has_help() {
        LoadtestArgs::command().debug_assert();
        let command = LoadtestArgs::command();
        let silent: Vec<_> = command.get_arguments().filter(|arg| arg.get_help().is_none()).collect();
        assert!(silent.is_empty(), "{silent:?}");
    }

    #[test]
    fn bad_input_gets_a_sentence() {
        for (line, part) in [
            ("", "required"),
            ("dance", "possible values"),
            ("chat --url https://shop.example", "behind the proxy"),
            ("chat --url ftp://shop.example", "--url is like"),
            ("chat --url nonsense", "relative URL"),
            ("chat --stream x", "--stream"),
            ("chat --viewers 0", "1..=1000000"),
            ("chat --rooms 200", "--viewers: at least one"),
            ("chat --rate=-1", "--rate is"),
            ("chat --rate NaN", "--rate is"),
            ("chat --seconds 0", "1..=86400"),
            ("chat --chat-per-second=-1", "--chat-per-second is"),
            ("chat --budget-p99-ms 0", "--budget-p99-ms is"),
            ("chat --auth-key short", "at least 32 bytes"),
            ("chat --store mysql://x", "--store is"),
            ("chat --sources 0", "a number from 1 to 250"),
            ("chat --sources 127.0.0.1,x", "a number from 1 to 250"),
            ("chat --sources 127.0.0.1,::1", "one family"),
            ("chat --stream 0199e6a0-0000-7000-8000-000000000000 --rooms 2", "--rooms must be 1"),
            ("show --stream 0199e6a0-0000-7000-8000-000000000000", "a show of its own"),
        ] {
            let line: Vec<&str> = line.split_whitespace().collect();
            let said = parse(&line).expect_err(&line.join(" "));
            assert!(said.contains(part), "{line:?}: {said}");
        }
    }

    #[test]
    fn the_usual_fits_the_scenario() {
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

//! Parsers of values: what clap cannot check by itself. Each error says what to write instead, and never repeats a secret.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net};

/// Parses a number in a range; a number that is not finite is in none.
pub fn number(range: RangeInclusive<f64>) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse::<f64>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("write a number from {} to {}", range.start(), range.end())),
    }
}

/// Parses a numeric address. A port alone means all IPv4 addresses, as in other servers; `localhost` is 127.0.0.1.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let numbers = match text.strip_prefix("localhost:").or(text.strip_prefix(':')) {
        Some(port) if text.starts_with(':') => format!("0.0.0.0:{port}"),
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numbers.parse().map_err(|_| "write an address like 127.0.0.1:8080, [::]:8080 or :8080".to_owned())
}

/// Parses an address, or a range of them in CIDR notation. An IPv4 range that is written as IPv6 (`::ffff:10.0.0.0/104`) is
/// the IPv4 range.
pub fn address_range(text: &str) -> Result<IpNet, String> {
    let range = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text.parse().map_err(|_| "write an address like 10.0.0.1, or a range like 10.0.0.0/8".to_owned())?,
    };
    let IpNet::V6(mapped) = range else { return Ok(range.trunc()) };
    let as_v4 = || Ipv4Net::new(mapped.addr().to_ipv4_mapped()?, mapped.prefix_len().checked_sub(96)?).ok();
    Ok(as_v4().map_or(range, IpNet::V4).trunc())
}

/// Parses a list that one setting keeps as one text: `redis://a, redis://b` becomes `redis://a,redis://b`.
pub fn compact_list(text: &str) -> Result<String, String> {
    let items: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    if items.is_empty() { Err("it is empty".to_owned()) } else { Ok(items.join(",")) }
}

/// The target of our own log lines and spans.
const OWN_TARGET: &str = "livesouk";
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Checks a log filter. The library takes any word as the name of a target, so `--log nonsense` or `--log inf` would hide every
/// line of the server forever.
pub fn log_filter(text: &str) -> Result<String, String> {
    const CURE: &str = "write error, warn, info, debug, trace or off, or levels of targets like info,sqlx=debug";
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let is_level = |word: &str| LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
    let mut shows_own_lines = false;
    for part in &parts {
        let (target, level) = part.rsplit_once('=').unwrap_or(("", part));
        if !is_level(level) || target.contains(['=', '[']) {
            return Err(format!("`{part}` is not a level; {CURE}"));
        }
        shows_own_lines |= target.is_empty() || target.starts_with(OWN_TARGET);
    }
    match shows_own_lines {
        true => Ok(parts.join(",")),
        false => Err(format!("it would hide every line of the server itself; {CURE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_alone_listens_on_all_addresses() {
        for (text, expected) in [
            (":8080", Some("0.0.0.0:8080")),
            ("localhost:0", Some("127.0.0.1:0")),
            ("[::1]:80", Some("[::1]:80")),
            ("8080", None),
            ("shop.example:80", None),
            (":http", None),
        ] {
            assert_eq!(listen_address(text).ok(), expected.map(|address| address.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn address_range_is_one_address_or_cidr() {
        for (text, expected) in [
            ("10.0.0.1", Some("10.0.0.1/32")),
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("::1", Some("::1/128")),
            ("fd00::/8", Some("fd00::/8")),
            ("::ffff:10.0.0.1", Some("10.0.0.1/32")),
            ("::ffff:10.0.0.0/104", Some("10.0.0.0/8")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("10.0.0.0/33", None),
            ("10.0.0.0/-1", None),
            ("10.0.0", None),
            ("proxy.internal", None),
            ("10.0.0.1:80", None),
            ("10.0.0.1 10.0.0.2", None),
        ] {
            assert_eq!(address_range(text).ok(), expected.map(|range| range.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn log_filter_without_a_level_is_refused() {
        for (text, expected) in [
            ("info", Some("info")),
            ("WARN", Some("WARN")),
            ("off", Some("off")),
            ("livesouk=debug", Some("livesouk=debug")),
            ("info, livesouk::http=trace, ", Some("info,livesouk::http=trace")),
            ("warn,sqlx=debug", Some("warn,sqlx=debug")),
            ("info,[request]=trace", None),
            ("a=b=info", None),
            ("nonsense", None),
            ("inf", None),
            ("livesouk", None),
            ("livesouk=loud", None),
            ("sqlx=debug", None),
            ("nonsense=debug", None),
            ("debug=livesouk", None),
            (",", None),
            ("", None),
        ] {
            assert_eq!(log_filter(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn number_outside_its_range_is_refused() {
        let seconds = number(0.0..=600.0);
        for (text, good) in [("0", true), ("0.5", true), ("600", true), ("601", false), ("-1", false), ("-0.1", false)]
        {
            assert_eq!(seconds(text).is_ok(), good, "{text}");
        }
        for text in ["nan", "inf", "-inf", "", "5s", "1,5"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn compact_list_has_no_space_and_no_empty_item() {
        assert_eq!(compact_list(" redis://a:1, redis://b:1 ,").as_deref(), Ok("redis://a:1,redis://b:1"));
        assert_eq!(compact_list("local").as_deref(), Ok("local"));
        assert!(compact_list(" , ").is_err());
    }
}

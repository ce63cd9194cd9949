//! Limits of users, connections and stored data.

use clap::Args;
use ipnet::IpNet;

use super::value::{address_range, number};

/// How `--purchase-names` names buyers.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum NamesShown {
    Full,
    Initials,
    Hidden,
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

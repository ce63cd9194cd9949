//! Free ports for the servers of a test.
//!
//! A server that is started a moment later, or again, must still find its port free. The kernel gives ports of its own range
//! (from 32,768 on Linux) to clients and to whoever asks for port 0, so these functions stay below that range and give each
//! port once.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

const PORTS: Range<u16> = 12_000..32_000;

/// Where this process goes on. Two processes that run at the same time begin at different places.
static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::random_range(0..count())));

/// A port of this computer that nobody listens on and that no other call in this process has returned.
pub fn free_port() -> u16 {
    let mut tried = (0..count()).map(|_| PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % count());
    tried.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("a free port")
}

/// The same as an address, such as `127.0.0.1:20123`.
pub fn free_address() -> String {
    format!("{}:{}", Ipv4Addr::LOCALHOST, free_port())
}

fn count() -> u16 {
    PORTS.end - PORTS.start
}

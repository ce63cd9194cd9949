//! The signals that end a node.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

/// What SIGHUP does. It comes when a terminal is closed, and from service managers that ask for new settings.
#[derive(Clone, Copy, PartialEq)]
pub enum Hangup {
    /// Like SIGTERM: a demo ends with its terminal.
    Stops,
    /// One log line: a node reads its settings only when it starts.
    Ignored,
}

/// Whether this process was started to outlive its terminal (`nohup`).
pub fn is_hangup_ignored() -> bool {
    #[cfg(target_os = "linux")]
    return std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits & 1 == 1)
    });
    #[cfg(not(target_os = "linux"))]
    false
}

/// Completes at the first SIGINT or SIGTERM, which starts a graceful shutdown. A second signal ends the process at once.
pub fn shutdown_signal(on_hangup: Hangup) -> anyhow::Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hangup = listen(SignalKind::hangup())?;
    let mut any = async move || {
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                _ = hangup.recv() => match on_hangup {
                    Hangup::Stops => break,
                    Hangup::Ignored => tracing::info!("SIGHUP is ignored: settings are read at start, so restart the node"),
                },
            }
        }
    };
    Ok(async move {
        any().await;
        tokio::spawn(async move {
            any().await;
            std::process::exit(130);
        });
    })
}

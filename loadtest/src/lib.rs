//! The load test: simulated viewers for a Livesouk server, on one thread, that check every frame they receive.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! use std::time::Duration;
//! use loadtest::{ChatLoad, Simulation, TargetServer};
//!
//! let address = ([127, 0, 0, 1], 8080).into();
//! let mut simulation = Simulation::new(TargetServer { address, host: "localhost".into(), sources: vec![], seed: 1 })?;
//! let room = simulation.add_room("0199e6a0-0000-7000-8000-000000000000");
//! let mut viewers: Vec<u32> = (0..1_000).map(|_| simulation.add_viewer(room, None)).collect();
//! let sender = simulation.add_viewer(room, Some("a host's token: the team has no chat rate limit"));
//! viewers.push(sender);
//! simulation.schedule_arrivals(viewers.into_iter(), 0, Duration::from_secs(1));
//! simulation.run_for(Duration::from_secs(2));
//! let from = simulation.now();
//! let until = from + 10_000_000;
//! simulation.start_chat(ChatLoad { room, senders: vec![sender], rate: 50.0, from, until, length: 60, sent: 0 });
//! simulation.run_for(Duration::from_secs(10));
//! simulation.settle(Duration::from_millis(500), Duration::from_secs(10));
//! println!("{:?} {}", simulation.measurements.latencies()["chat"], simulation.violations.total);
//! # Ok(())
//! # }
//! ```

pub mod args;
#[cfg(feature = "html")]
pub mod chart;
pub mod frame;
#[cfg(feature = "html")]
pub mod html;
pub mod invariants;
pub mod measurements;
pub mod report;
pub mod requests;
pub mod room;
pub mod scenario;
pub mod shop_client;
pub mod simulation;
pub mod viewer;
pub mod violations;
pub mod wire;

mod actions;
mod final_check;
mod inflate;
mod order_check;
mod progress;
mod receive;
mod run;

pub use run::{run, run_with_progress};
pub use simulation::{ChatLoad, HostCommand, ScheduledAction, Simulation, TargetServer};

//! The crowd: simulated viewers for a Livesouk server, on one thread, that check what they are told.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! use std::time::Duration;
//! use loadtest::{Crowd, Flow, Target};
//!
//! let address = ([127, 0, 0, 1], 8080).into();
//! let mut crowd = Crowd::new(Target { address, host: "localhost".into(), sources: vec![], seed: 1 })?;
//! let room = crowd.add_room("0199e6a0-0000-7000-8000-000000000000");
//! let guests: Vec<u32> = (0..1_000).map(|_| crowd.add_viewer(room, None)).collect();
//! let sender = crowd.add_viewer(room, Some("a host's token: the team has no chat budget"));
//! crowd.arrive(guests.into_iter().chain([sender]).collect::<Vec<_>>().into_iter(), 0, Duration::from_secs(1));
//! crowd.run_for(Duration::from_secs(2));
//! let from = crowd.now();
//! crowd.talk(Flow { room, senders: vec![sender], rate: 50.0, from, until: from + 10_000_000, length: 60, said: 0 });
//! crowd.run_for(Duration::from_secs(10));
//! crowd.settle(Duration::from_millis(500), Duration::from_secs(10));
//! println!("{:?} {}", crowd.measure.latencies()["chat"], crowd.breaches.total);
//! # Ok(())
//! # }
//! ```

pub mod args;
pub mod chart;
pub mod frame;
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

//! The last questions, once all is quiet: is everybody at the head, and has every acknowledged message been told?

use crate::invariants::ViolationKind;
use crate::requests::{RequestKind, RequestStatus};
use crate::simulation::Simulation;
use crate::viewer::ConnectionStage;
use crate::violations::Violation;

impl Simulation {
    /// Call it after [`Crowd::settle`].
    pub fn check_final_state(&mut self) {
        let now = self.now();
        // Since when somebody in the room has heard everything to the end.
        let mut whole_since = vec![u64::MAX; self.rooms.len()];
        for (number, viewer) in self.viewers.iter().enumerate() {
            let room = &self.rooms[viewer.room as usize];
            match viewer.stage {
                ConnectionStage::Live => {}
                ConnectionStage::AwaitingHello => {
                    self.measurements.record_error("no hello");
                    continue;
                }
                _ => continue,
            }
            let Some((epoch, seq)) = viewer.state.position() else { continue };
            if (epoch, seq) == room.head {
                let since = &mut whole_since[viewer.room as usize];
                *since = viewer.complete_since.min(*since);
            } else {
                self.measurements.counters.missed += room.head.1.saturating_sub(seq);
                self.violations.record(Violation {
                    kind: ViolationKind::ViewerBehind,
                    at_s: now as f64 / 1e6,
                    viewer: Some(number as u32),
                    room: room.stream.clone(),
                    seq,
                    what: format!("others in the room have heard {}", room.head.1),
                    excerpt: String::new(),
                });
            }
        }
        for ask in &self.requests.all {
            if let (RequestKind::Buy(purchase), RequestStatus::Pending) = (ask.what, ask.status) {
                self.requests.purchases[purchase].mark_unknown();
            }
            let heard = whole_since[ask.room as usize] < ask.intended;
            if ask.what == RequestKind::Say && ask.status == RequestStatus::Done && ask.told.is_none() && heard {
                let room = &self.rooms[ask.room as usize];
                self.violations.record(Violation {
                    kind: ViolationKind::MessageLost,
                    at_s: ask.intended as f64 / 1e6,
                    viewer: Some(ask.viewer),
                    room: room.stream.clone(),
                    seq: room.head.1,
                    what: "a message was acknowledged, and somebody who heard everything did not hear it".to_owned(),
                    excerpt: String::new(),
                });
            }
        }
    }
}

//! The final checks, once everything has arrived: does every viewer have the newest position, and was every
//! acknowledged message delivered?

use crate::invariants::ViolationKind;
use crate::requests::{RequestKind, RequestStatus};
use crate::simulation::Simulation;
use crate::viewer::ConnectionStage;
use crate::violations::Violation;

impl Simulation {
    /// Call it after [`Simulation::settle`].
    pub fn check_final_state(&mut self) {
        let now = self.now();
        // For each room: since when some viewer has received everything up to the newest position.
        let mut complete_since = vec![u64::MAX; self.rooms.len()];
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
                let since = &mut complete_since[viewer.room as usize];
                *since = viewer.complete_since.min(*since);
            } else {
                self.measurements.counters.missed += room.head.1.saturating_sub(seq);
                self.violations.record(Violation {
                    kind: ViolationKind::ViewerBehind,
                    at_s: now as f64 / 1e6,
                    viewer: Some(number as u32),
                    room: room.stream.clone(),
                    seq,
                    detail: format!("others in the room have received {}", room.head.1),
                    excerpt: String::new(),
                });
            }
        }
        for request in &self.requests.all {
            if let (RequestKind::Buy(purchase), RequestStatus::Pending) = (request.kind, request.status) {
                self.requests.purchases[purchase].mark_unknown();
            }
            let complete = complete_since[request.room as usize] < request.intended;
            if request.kind == RequestKind::Say
                && request.status == RequestStatus::Done
                && request.event_position.is_none()
                && complete
            {
                let room = &self.rooms[request.room as usize];
                self.violations.record(Violation {
                    kind: ViolationKind::MessageLost,
                    at_s: request.intended as f64 / 1e6,
                    viewer: Some(request.viewer),
                    room: room.stream.clone(),
                    seq: room.head.1,
                    detail: "a message was acknowledged, and a viewer that received everything did not receive it"
                        .to_owned(),
                    excerpt: String::new(),
                });
            }
        }
    }
}

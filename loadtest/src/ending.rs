//! The last questions, once all is quiet: is everybody at the head, and has every acknowledged message been told?

use crate::ask::{Answer, What};
use crate::breaches::Found;
use crate::crowd::Crowd;
use crate::truth::Breach;
use crate::viewer::Stage;

impl Crowd {
    /// Call it after [`Crowd::settle`].
    pub fn check_the_end(&mut self) {
        let now = self.now();
        // Since when somebody in the room has heard everything to the end.
        let mut whole_since = vec![u64::MAX; self.rooms.len()];
        for (number, viewer) in self.viewers.iter().enumerate() {
            let room = &self.rooms[viewer.room as usize];
            match viewer.stage {
                Stage::Live => {}
                Stage::Greeting => {
                    self.measure.error("no hello");
                    continue;
                }
                _ => continue,
            }
            let Some((epoch, seq)) = viewer.place.position() else { continue };
            if (epoch, seq) == room.head {
                let since = &mut whole_since[viewer.room as usize];
                *since = viewer.whole_since.min(*since);
            } else {
                self.measure.counters.missed += room.head.1.saturating_sub(seq);
                self.breaches.add(Found {
                    breach: Breach::LeftBehind,
                    at_s: now as f64 / 1e6,
                    viewer: Some(number as u32),
                    room: room.stream.clone(),
                    seq,
                    what: format!("others in the room have heard {}", room.head.1),
                    bytes: String::new(),
                });
            }
        }
        for ask in &self.asks.all {
            if let (What::Buy(purchase), Answer::Waiting) = (ask.what, ask.answer) {
                self.asks.purchases[purchase].doubt();
            }
            let heard = whole_since[ask.room as usize] < ask.intended;
            if ask.what == What::Say && ask.answer == Answer::Done && ask.told.is_none() && heard {
                let room = &self.rooms[ask.room as usize];
                self.breaches.add(Found {
                    breach: Breach::MessageLost,
                    at_s: ask.intended as f64 / 1e6,
                    viewer: Some(ask.viewer),
                    room: room.stream.clone(),
                    seq: room.head.1,
                    what: "a message was acknowledged, and somebody who heard everything did not hear it".to_owned(),
                    bytes: String::new(),
                });
            }
        }
    }
}

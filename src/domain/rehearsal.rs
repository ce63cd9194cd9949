//! Rehearsals: simulated viewers play a short show in a room of their own, before the real show starts.

use super::Refusal;
use super::limits;
use super::product::in_range;

const ALREADY_RUNNING: &str = "A rehearsal is already running on this node.";
const SHOW_ALREADY_STARTED: &str = "A rehearsal is only possible before the show starts.";

/// The size of a rehearsal. The limits are small, so that real shows on the same node are not affected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RehearsalForm {
    pub viewers: u32,
    pub seconds: u64,
}

impl RehearsalForm {
    /// Defaults: 50 viewers and 30 seconds. Limits: 200 viewers, and 24 to 90 seconds.
    pub fn validated(viewers: Option<i64>, seconds: Option<i64>) -> Result<Self, Refusal> {
        let viewers = in_range(viewers.unwrap_or(50), limits::REHEARSAL_VIEWERS, "viewers")?;
        let seconds = in_range(seconds.unwrap_or(30), limits::REHEARSAL_S, "seconds")?;
        Ok(Self { viewers: viewers as u32, seconds: seconds as u64 })
    }
}

pub fn already_running() -> Refusal {
    Refusal::WrongStatus(ALREADY_RUNNING)
}

pub fn show_already_started() -> Refusal {
    Refusal::WrongStatus(SHOW_ALREADY_STARTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rehearsal_has_at_most_200_viewers_and_90_seconds() {
        let form = |viewers, seconds| RehearsalForm::validated(viewers, seconds).map_err(|refusal| refusal.to_string());
        assert_eq!(form(None, None), Ok(RehearsalForm { viewers: 50, seconds: 30 }));
        assert_eq!(form(Some(200), Some(90)), Ok(RehearsalForm { viewers: 200, seconds: 90 }));
        for (viewers, seconds, why) in [
            (0, 30, "viewers must be 1 to 200."),
            (201, 30, "viewers must be 1 to 200."),
            (50, 91, "seconds must be 24 to 90."),
        ] {
            assert_eq!(form(Some(viewers), Some(seconds)), Err(why.to_owned()));
        }
    }
}

//! A rehearsal: a small crowd plays a show in a room of its own, before the real one begins.

use super::Refusal;
use super::product::in_range;

/// Why a rehearsal in progress is the only one.
const ALREADY_RUNNING: &str = "a rehearsal is running on this node already";
const SHOW_ALREADY_STARTED: &str = "a rehearsal is for a show that has not begun";

/// What a host may ask for: small enough that nobody else on the node feels it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RehearsalForm {
    pub viewers: u32,
    pub seconds: u64,
}

impl RehearsalForm {
    /// 50 viewers and 30 seconds unless said otherwise; at most 200, and 90.
    pub fn validated(viewers: Option<i64>, seconds: Option<i64>) -> Result<Self, Refusal> {
        let viewers = in_range(viewers.unwrap_or(50), 1, 200, "viewers")?;
        let seconds = in_range(seconds.unwrap_or(30), 24, 90, "seconds")?;
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
    fn a_rehearsal_is_small_and_short() {
        let form = |viewers, seconds| RehearsalForm::validated(viewers, seconds).map_err(|refusal| refusal.to_string());
        assert_eq!(form(None, None), Ok(RehearsalForm { viewers: 50, seconds: 30 }));
        assert_eq!(form(Some(200), Some(90)), Ok(RehearsalForm { viewers: 200, seconds: 90 }));
        for (viewers, seconds, why) in
            [(0, 30, "viewers is 1 to 200"), (201, 30, "viewers is 1 to 200"), (50, 91, "seconds is 24 to 90")]
        {
            assert_eq!(form(Some(viewers), Some(seconds)), Err(why.to_owned()));
        }
    }
}

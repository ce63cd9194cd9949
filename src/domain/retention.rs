//! Retention: how long the shop keeps what it needs only for a time. The desk sets it; until then the settings of the node hold.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Millis, Refusal};

/// The most days that may be typed: ten years. 0 means forever.
pub const RETENTION_DAYS_MAX: i64 = 3_650;
const DAY_MS: Millis = 86_400_000;

/// Days; 0: forever. Null: nobody has set it at the desk, so the setting with which the node was started holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Retention {
    /// Delivery addresses, from the day on which their order was sent or ended without.
    pub address_days: Option<i64>,
    /// Messages of the chat.
    pub chat_days: Option<i64>,
    /// The log of e-mails.
    pub mail_days: Option<i64>,
}

/// What somebody typed. What is left out stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, ToSchema)]
pub struct RetentionForm {
    /// 0 to 3650; 0: forever.
    pub address_days: Option<i64>,
    pub chat_days: Option<i64>,
    pub mail_days: Option<i64>,
}

impl RetentionForm {
    pub fn apply(self, before: &Retention) -> Result<Retention, Refusal> {
        let within = |given: Option<i64>, before: Option<i64>, field: &'static str| match given {
            Some(days) if (0..=RETENTION_DAYS_MAX).contains(&days) => Ok(Some(days)),
            Some(_) => Err(Refusal::bad_field(field, format!("must be 0 to {RETENTION_DAYS_MAX}."))),
            None => Ok(before),
        };
        Ok(Retention {
            address_days: within(self.address_days, before.address_days, "retention.address_days")?,
            chat_days: within(self.chat_days, before.chat_days, "retention.chat_days")?,
            mail_days: within(self.mail_days, before.mail_days, "retention.mail_days")?,
        })
    }
}

/// For how long something is kept; `None`: forever. `given` is the setting with which the node was started.
pub fn kept_ms(days: Option<i64>, given: Option<Millis>) -> Option<Millis> {
    match days {
        Some(days) => (days > 0).then(|| days * DAY_MS),
        None => given,
    }
}

/// The same in whole days; 0: forever.
pub fn kept_days(days: Option<i64>, given: Option<Millis>) -> i64 {
    kept_ms(days, given).map_or(0, |kept_ms| kept_ms / DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_desk_come_before_those_of_the_node() {
        let given = Some(30 * DAY_MS);
        for (days, given, expected) in
            [(None, given, 30), (None, None, 0), (Some(7), given, 7), (Some(7), None, 7), (Some(0), given, 0)]
        {
            assert_eq!(kept_days(days, given), expected, "{days:?} {given:?}");
        }
        assert_eq!((kept_ms(Some(0), given), kept_ms(Some(1), None)), (None, Some(DAY_MS)));
    }

    #[test]
    fn days_out_of_range_are_refused_with_their_field_and_the_others_stay() {
        let before = Retention { address_days: Some(30), ..Retention::default() };
        let form = RetentionForm::default;
        for (bad, field) in [
            (RetentionForm { address_days: Some(-1), ..form() }, "retention.address_days"),
            (RetentionForm { chat_days: Some(3_651), ..form() }, "retention.chat_days"),
            (RetentionForm { mail_days: Some(i64::MAX), ..form() }, "retention.mail_days"),
        ] {
            assert_eq!(bad.apply(&before).unwrap_err().field(), Some(field));
        }
        let after = RetentionForm { chat_days: Some(0), ..form() }.apply(&before).unwrap();
        assert_eq!(after, Retention { chat_days: Some(0), ..before });
    }
}

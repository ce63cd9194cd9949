//! The limits of numbers that clients send: the least and the greatest value. The validation and the API documents both read them.

use super::Millis;
use super::product::{PRICE_MAX, UNITS_MAX};

/// The least and the greatest value, both allowed.
pub type Limit = (i64, i64);

/// Minor units of the currency.
pub const PRICE: Limit = (0, PRICE_MAX);
/// Units of an offer.
pub const QUANTITY: Limit = (1, UNITS_MAX);
/// Units in the stock of a variant.
pub const STOCK: Limit = (0, UNITS_MAX);
/// Units by which a person changes the stock of a variant.
pub const STOCK_CHANGE: Limit = (-UNITS_MAX, UNITS_MAX);
/// Grams of one unit.
pub const WEIGHT_G: Limit = (0, 10_000_000);
/// Units to add to an offer or to the stock of a variant.
pub const ADD: Limit = (1, UNITS_MAX);
/// Units of one purchase.
pub const QTY: Limit = (1, 1_000);
pub const PER_BUYER: Limit = (1, 1_000);
pub const HOLD_S: Limit = (10, 3_600);
pub const COUNTDOWN_S: Limit = (10, 300);
pub const DURATION_S: Limit = (60, 1_200);
/// What a coupon takes off, in basis points.
pub const PERCENT_BP: Limit = (1, 10_000);
/// What a coupon takes off, in minor units.
pub const COUPON_AMOUNT: Limit = (1, PRICE_MAX);
/// Orders that can have a coupon, in all or of one person.
pub const COUPON_USES: Limit = (1, 1_000_000);
/// Seconds by which a sale is extended.
pub const EXTEND_S: Limit = (10, 1_200);
pub const SLOW_S: Limit = (0, 300);
pub const MUTE_S: Limit = (10, 7 * 24 * 3_600);
pub const INVITE_S: Limit = (600, 30 * 24 * 3_600);
/// How many users may accept one invite. It is for a team; a leaked link must not let in everybody.
pub const INVITE_USES: Limit = (1, 20);
/// The hours for which an API key still works after it was replaced.
pub const ROTATION_H: Limit = (0, 168);
pub const REHEARSAL_VIEWERS: Limit = (1, 200);
pub const REHEARSAL_S: Limit = (24, 90);
pub const REACTIONS: Limit = (1, super::reaction::REACTION_COUNT_MAX);
/// A planned start, valid from 2001 up to the year 2200: a time in seconds or microseconds is a client's mistake.
pub const SCHEDULED_AT: (Millis, Millis) = (1_000_000_000_000, 7_258_118_399_999);
/// Shows of a weekly series: a year.
pub const SERIES: Limit = (1, 52);
/// Entries of one page of a list.
pub const PAGE: Limit = (1, 100);

//! The helpers in `support/` do what they say, or the tests that lean on them would prove nothing.

mod chaos;
mod position;
mod postgres;
mod process;
mod proxy;
mod rest;
mod socket;

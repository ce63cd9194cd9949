//! Tests of the helpers in `support/`: the other tests prove something only if their helpers are correct.

mod chaos;
mod position;
mod postgres;
mod process;
mod proxy;
mod rest;
mod socket;

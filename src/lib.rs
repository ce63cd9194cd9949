pub mod clock;
pub mod domain;
pub mod protocol;
pub mod room;
pub mod session;

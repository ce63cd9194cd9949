//! The words on the wire: frame bytes, and the JSON inside them. Pure: bytes in, values out, and back.
//!
//! Server frames are unmasked, so the bytes of one frame serve every viewer; what is shared is encoded once.

pub mod calendar;
pub mod change;
pub mod client;
pub mod close;
pub mod date;
pub mod deflate;
pub mod event;
pub mod frame;
pub mod invite;
pub mod reader;
pub mod rehearsal;
pub mod server;
pub mod state;
pub mod view;
pub mod wire;

#[cfg(test)]
mod fuzz_test;

pub use change::json_bytes;
pub use client::{ClientFrame, Verb};
pub use close::Close;
pub use event::Logged;
pub use frame::Frame;
pub use invite::{HelperView, InviteView, NewInvite};
pub use reader::{BadFrame, FrameReader, Incoming};
pub use rehearsal::{RehearsalStatus, RehearsalView};
pub use server::{Greeting, Tail, Why};
pub use state::{State, StateChange};
pub use view::{
    CardReach, ChatRulesView, DeedView, ErasedView, FullReport, KeptView, MessageView, OfferView, OrderDetail,
    OrderView, PinView, ProductView, Report, Said, SanctionView, ShopView, StreamView, VariantView, You,
};

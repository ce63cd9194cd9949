//! The wire protocol: WebSocket frames, and the JSON in them. Pure: bytes in, values out, and back.
//!
//! Server frames are not masked, so the same bytes can be sent to every viewer. Whatever is shared is encoded once.

mod billing;
pub mod calendar;
pub mod client;
pub mod close;
mod coupon;
pub mod date;
pub mod deflate;
pub mod deflate_offer;
pub mod event;
pub mod frame;
pub mod frame_reader;
pub mod frame_schema;
pub mod input_error;
pub mod invite;
pub mod mail;
pub mod order;
mod payment_day;
pub mod problem;
mod product;
pub mod rehearsal;
pub mod server;
pub mod shop;
pub mod shop_order;
pub mod state;
pub mod state_sync;
pub mod token;
pub mod video;
pub mod view;

#[cfg(test)]
mod fuzz_test;

pub use billing::BillingDocumentView;
pub use client::{ClientFrame, VerbCall};
pub use close::Close;
pub use coupon::CouponView;
pub use event::EncodedEvent;
pub use frame::Frame;
pub use frame_reader::{BadFrame, FrameReader, IncomingMessage};
pub use invite::{HelperView, InviteView, NewInvite};
pub use mail::MailView;
pub use order::{ManualMethodView, OrderDetail, OrderView, ReservationView};
pub use payment_day::{DisputeView, OwedRefundView, PaymentDays};
pub use problem::RefusalFacts;
pub use product::{PriceChangeView, ProductDetailView, ProductView, StockChangeView, VariantView};
pub use rehearsal::{RehearsalStatus, RehearsalView};
pub use server::{HelloHead, SharedTail, SnapshotReason};
pub use shop::{ShopView, StripeFormView};
pub use shop_order::{
    OrderNoteView, PaymentAttemptView, RefundLineView, RefundView, RefundableView, ShopOrderDetail, ShopOrderView,
};
pub use state::{RoomState, StateChange};
pub use state_sync::json_bytes;
pub use token::TokenRevocationView;
pub use video::VideoFaultCounts;
pub use view::{
    AuditEntryView, CardReach, ChatRulesView, ErasedView, FullStreamReport, KeptView, MessageView, OfferView, PinView,
    SanctionView, SayReply, ShowLog, StreamCopyView, StreamReport, StreamView, ViewerIdentity,
};

//! What the words mean: the shop's nouns and the rules between them.
//!
//! Nothing here waits, stores, or looks at a clock; callers pass `now`. The same rules therefore hold
//! for both databases, for every door and for every test.

pub mod actor;
pub mod address;
pub mod bucket;
pub mod chat;
pub mod deed;
pub mod event;
pub mod flood;
pub mod history;
pub mod id;
pub mod invite;
pub mod offer;
pub mod order;
pub mod payment;
pub mod product;
pub mod reaction;
pub mod refusal;
pub mod rehearsal;
pub mod report;
pub mod script;
pub mod stream;
pub mod text;
pub mod words;

pub use actor::{Action, Actor, Role};
pub use address::Address;
pub use bucket::TokenBucket;
pub use chat::{ChatMessage, ChatRules, ChatText, LinkRule, Quote, RulesForm, Ruling, Sanction, SanctionKind};
pub use deed::{Deed, DeedKind};
pub use event::{Event, Speaker};
pub use history::{Happened, Step, Traces, history};
pub use id::{ActionId, InviteId, MessageId, OfferId, OrderId, ProductId, ShopId, StreamId, UserId, VariantId};
pub use invite::{Helper, Invite};
pub use offer::{Ask, Kind, Offer, OfferStatus, Prior, Stage, Terms, Verdict, decide};
pub use order::{Key, Order, OrderStatus, RequestHash};
pub use payment::{Intent, IntentStatus, Payment, PaymentStatus, Refund, RefundStatus};
pub use product::{Product, Shop, Variant};
pub use refusal::Refusal;
pub use script::Script;
pub use stream::{LiveStream, Pin, StreamStatus};
pub use text::{Name, Titles};
pub use words::{MutedWord, WordAct, Words};

/// UTC, milliseconds since 1970. The only form of time, on the wire and in both databases.
pub type Millis = i64;
/// Money in minor units (halalas, cents) of the currency beside it.
pub type Minor = i64;

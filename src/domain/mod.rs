//! The business rules: the shop's nouns and the rules between them.
//!
//! This layer is pure: no async, no I/O, no clock. Callers pass `now`. The same rules therefore apply to both databases, to REST
//! and the socket, and to every test.

pub mod account;
pub mod actor;
pub mod address;
pub mod admission_ticket;
pub mod api_key;
pub mod audit;
pub mod authorization;
pub mod billing;
pub mod blocklist;
pub mod bucket;
pub mod bulk_edit;
pub mod catalogue_file;
pub mod catalogue_import;
pub mod chat;
pub mod country;
pub mod coupon;
#[cfg(test)]
mod coupon_refund_test;
#[cfg(test)]
mod coupon_test;
pub mod currency;
pub mod customer;
pub mod dispute;
pub mod email_code;
pub mod error_code;
pub mod event;
pub mod follow;
pub mod free_text;
pub mod fulfilment;
pub mod id;
pub mod invite;
pub mod lapsed_hold;
pub mod limits;
pub mod lost_payment;
pub mod mail;
pub mod mail_settings;
pub mod manual_payment;
pub mod markdown;
pub mod market;
pub mod number_text;
pub mod offer;
pub mod offer_buyers;
pub mod oidc;
pub mod order;
pub mod order_history;
pub mod passkey;
pub mod payment;
pub mod payment_day;
pub mod picture;
pub mod policy;
pub mod product;
pub mod product_change;
pub mod publish_key;
pub mod purchase_names;
pub mod quote;
pub mod reaction;
pub mod refund;
pub mod refusal;
mod refusal_message;
mod refusal_table;
#[cfg(test)]
mod refusal_test;
pub mod rehearsal;
mod replay;
pub mod report;
pub mod reservation;
pub mod retention;
mod sanction;
pub mod saved_card;
pub mod saved_view;
pub mod search_text;
pub mod secrets_key;
pub mod series;
pub mod setup;
pub mod shop_order;
pub mod shop_settings;
pub mod sign_in_code;
pub mod sign_in_session;
pub mod spam;
pub mod staff;
pub mod stream;
pub mod stream_change;
pub mod stripe_amount;
pub mod stripe_keys;
pub mod team_name;
pub mod test_provider;
pub mod text;
pub mod token;
pub mod video;
mod visible;
pub mod withdrawal;

pub use account::{Account, EmailAddress, GUEST_PREFIX, Language, PersonKey};
pub use actor::{Actor, ActorSession, IdentityKind, PasskeyStanding, Role};
pub use address::Address;
pub use admission_ticket::{AdmissionTicket, MAC_BYTES};
pub use api_key::{ApiKey, ApiKeySecret, ApiScope};
pub use audit::{AuditAction, AuditEntry, AuditFilter};
pub use authorization::{Permission, Place, Standing, authorize, authorize_by_role};
pub use billing::{BillingBody, BillingLine, CreditedSoFar, DocumentKind, Issuer, RefundToCredit, TaxSum};
pub use blocklist::{BlockAction, BlockedWord, Blocklist};
pub use bucket::{AtomicBucket, Rate, TokenBucket};
pub use catalogue_import::{CatalogueImport, ImportSource, ImportStatus, ImportedState};
pub use chat::{ChatDecision, ChatMessage, ChatRules, ChatRulesForm, ChatText, LinkRule, Quote};
pub use coupon::{
    AppliedCoupon, Coupon, CouponChange, CouponCode, CouponDiscount, CouponForm, CouponLine, CouponProblem,
    QuoteCoupon, ShownCoupon,
};
pub use dispute::{DisputeEnd, DisputeResult, DisputeStatus, OpenDispute, ProviderDispute};
pub use error_code::ErrorCode;
pub use event::{Author, Event};
pub use follow::{Announcement, Follow, FollowTarget, FollowedProduct, NewFollow};
pub use fulfilment::{Consignment, Fulfilment, FulfilmentStatus, FulfilmentStep};
pub use id::{
    AccountId, ApiKeyId, AuditEntryId, BillingDocumentId, CouponId, EmailCodeId, FollowId, ImportId, InviteId, MailId,
    MessageId, OfferId, OrderId, PasskeyId, ProductId, SavedCardId, ShopId, SignInSessionId, StaffInviteId, StreamId,
    TokenRevocationId, UserId, VariantId,
};
pub use invite::{Helper, Invite};
pub use lost_payment::LostReason;
pub use mail::{ClaimedMail, MailContent, MailKind, MailOutcome, MailStatus, MailStep, NewMail};
pub use manual_payment::{ManualMethod, ManualPayments, OfferPayLater, PaymentMethod, Placement};
pub use market::{Market, MarketForm};
pub use offer::{
    Decision, ExistingPurchase, Offer, OfferKind, OfferStage, OfferStatus, OfferTerms, PurchaseRequest, decide,
};
pub use offer_buyers::OfferBuyers;
pub use order::{IdempotencyKey, Order, OrderHeader, OrderStatus, RequestHash, check_joinable};
pub use order_history::{OrderHistoryEntry, OrderHistoryKind, OrderTimestamps, order_history};
pub use payment::{
    OwedStatus, Payment, PaymentIntent, PaymentIntentStatus, PaymentStatus, ProviderRefund, ProviderRefundStatus,
    Refund, RefundStatus, RefundStep,
};
pub use payment_day::{DaySpan, OpenOwedRefund, PaymentDay, PaymentFee, PaymentFigure, PaymentSums};
pub use picture::{PictureFocus, PictureHash, PictureKind, PictureSize, ProductPicture};
pub use product::{Product, ProductOption, ProductStatus, ProductTexts, Shop, Variant};
pub use product_change::{PriceChange, ProductForm, ProductRevision, StockChange, StockReason, VariantForm};
pub use purchase_names::PurchaseNames;
pub use quote::{OrderQuote, QuoteLine, QuoteRules, SoldItem};
pub use refund::{PaidOrder, RefundPart, RefundPlan, RefundScope, Refundable, RefundedSoFar, ReturnedLine};
pub use refusal::Refusal;
pub use reservation::{Reservation, ReservationId, ReservationStatus};
pub use sanction::{Sanction, SanctionKind};
pub use saved_card::{CardFacts, CardReference, CardUse, SavedCard, UsedMethod};
pub use saved_view::SavedView;
pub use shop_order::ShopOrderFilter;
pub use sign_in_session::{SecretHash, SessionSecret, SignInSession};
pub use stream::{LiveStream, Pin, ShowFilter, StreamPosition, StreamStatus};
pub use stripe_keys::{StripeKeyField, StripeKeyProblem, StripeKeys, StripeKeysFixed, StripeMode};
pub use team_name::StaffNames;
pub use test_provider::TestScenario;
pub use text::{Name, Titles};
pub use token::{RevokedTokens, TokenId, TokenRevocation, TokenRevocations, TokenRules, TokenStamp};

/// UTC, in milliseconds since 1970. The only form of time on the wire and in both databases.
pub type Millis = i64;
/// An amount of money in minor units (halalas, cents). The currency is in the field beside it.
pub type Minor = i64;

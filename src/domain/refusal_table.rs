//! The table of refusals: the one place that holds the code of each, its HTTP status, its meaning and the key of the text that our
//! pages show. REST, the socket, the OpenAPI document and the tests of the pages all read it.

use super::error_code::error_codes;
use super::{CouponProblem, ErrorCode, Refusal, StripeKeyProblem};

error_codes! {
    // refusal => code, HTTP status, meaning, key of the page text
    Refusal::BadRequest(_) | Refusal::BadField { .. } =>
        "bad_request", 400, "The request has a missing or invalid field.", "error.bad_request";
    Refusal::InvalidValue { .. } =>
        "invalid_value", 422, "A value does not fit the other fields or the present state.", "error.invalid_value";
    Refusal::UnknownVerb(_) => "unknown_verb", 400, "There is no such verb.", "error.unknown_verb";
    Refusal::SignIn => "sign_in", 401, "Sign in first.", "error.sign_in";
    Refusal::TokenInvalid | Refusal::TokenRefused(_) =>
        "token_invalid", 401, "The token is not valid.", "error.token_invalid";
    Refusal::TokenExpired => "token_expired", 401, "The token has expired.", "error.token_expired";
    Refusal::TokenNotYetValid => "token_not_yet_valid", 401, "The token is not valid yet.", "error.token_not_yet_valid";
    Refusal::TokenRevoked => "token_revoked", 401, "The token was revoked. Sign in again.", "error.token_revoked";
    Refusal::NoSuchRevocation => "no_such_revocation", 404, "There is no such revocation.", "error.no_such_revocation";
    Refusal::NoSuchMail => "no_such_mail", 404, "There is no such e-mail.", "error.no_such_mail";
    Refusal::Forbidden => "forbidden", 403, "Your role does not allow this.", "error.forbidden";
    Refusal::Outdated =>
        "outdated", 409, "Somebody has changed this meanwhile. Read it again, and repeat your change on it.", "error.outdated";
    Refusal::Outranked =>
        "outranked", 403, "You can do this only to users who rank below you, and change only what your rank imposed.",
        "error.outranked";
    Refusal::TeamCannotBuy => "team_cannot_buy", 403, "The team cannot buy in a show that it helps to run.", "error.team_cannot_buy";
    Refusal::PriceNeedsHost => "price_needs_host", 403, "Only a host can sell at the price 0.", "error.price_needs_host";
    Refusal::NoSuchStream => "no_such_stream", 404, "There is no such stream.", "error.no_such_stream";
    Refusal::NoSuchOffer => "no_such_offer", 404, "There is no such offer.", "error.no_such_offer";
    Refusal::NoSuchOrder => "no_such_order", 404, "There is no such order.", "error.no_such_order";
    Refusal::NoSuchProduct => "no_such_product", 404, "There is no such product or variant.", "error.no_such_product";
    Refusal::NoSuchPicture => "no_such_picture", 404, "There is no such picture.", "error.no_such_picture";
    Refusal::PictureKind { .. } =>
        "picture_kind", 415, "This file is not a picture that is accepted. Send a JPEG, PNG or WebP picture.",
        "error.picture_kind";
    Refusal::PictureTooLarge => "picture_too_large", 413, "A picture can have at most 15 MB.", "error.picture_too_large";
    Refusal::PicturePixels => "picture_pixels", 422, "A picture can have at most 50 megapixels.", "error.picture_pixels";
    Refusal::PictureDamaged => "picture_damaged", 422, "The file is damaged or incomplete.", "error.picture_damaged";
    Refusal::PicturesOff =>
        "pictures_off", 409, "This server has no storage for uploaded pictures. See --pictures-dir.",
        "error.pictures_off";
    Refusal::NoSuchImport => "no_such_import", 404, "There is no such import.", "error.no_such_import";
    Refusal::ImportTooLarge => "import_too_large", 413, "An imported file can have at most 100 MB.", "error.import_too_large";
    Refusal::NoSuchMessage => "no_such_message", 404, "There is no such message.", "error.no_such_message";
    Refusal::NoSuchInvite => "no_such_invite", 404, "This invite link is wrong, expired, revoked or used up.", "error.no_such_invite";
    Refusal::NotYours => "not_yours", 404, "You have no such order.", "error.not_yours";
    Refusal::KeyMissing => "key_missing", 400, "An idempotency key is required.", "error.key_missing";
    Refusal::KeyInvalid => "key_invalid", 400, "An idempotency key has 8 to 255 visible ASCII characters.", "error.key_invalid";
    Refusal::KeyReused => "key_reused", 422, "This idempotency key was used for another request.", "error.key_reused";
    Refusal::NotOpen { .. } => "not_open", 409, "The sale is not open.", "error.not_open";
    Refusal::Closed => "closed", 409, "The sale has ended.", "error.closed";
    Refusal::BuyerLimit { .. } =>
        "buyer_limit", 409, "The buyer already has as many units as one buyer can have.", "error.buyer_limit";
    Refusal::CardLimit { .. } =>
        "card_limit", 409, "This card has paid for as many units as one person can have, under another name. Nothing was charged, and the reservation has ended.",
        "error.card_limit";
    Refusal::SoldOut => "sold_out", 409, "Sold out.", "error.sold_out";
    Refusal::SoldOutForNow => "sold_out_for_now", 409, "All units are reserved. Some may become available again.", "error.sold_out_for_now";
    Refusal::TooFewLeft { .. } => "too_few_left", 409, "Fewer units are left than requested.", "error.too_few_left";
    Refusal::NotEnoughStock { .. } => "not_enough_stock", 409, "The variant has fewer units in stock than requested.", "error.not_enough_stock";
    Refusal::StreamEnded => "stream_ended", 409, "The show has ended.", "error.stream_ended";
    Refusal::WrongStatus(_) =>
        "wrong_status", 409, "The current status of the object does not allow this.", "error.wrong_status";
    Refusal::HoldExpired => "hold_expired", 409, "The reservation has expired.", "error.hold_expired";
    Refusal::LinesGone(_) => "lines_gone", 409, "A reservation of the order has expired. Nothing was charged.", "error.lines_gone";
    Refusal::QuoteChanged(_) =>
        "quote_changed", 409, "The order costs a different amount than the buyer has seen. Nothing was charged. Show the new quote, and pay with its version.",
        "error.quote_changed";
    Refusal::CountryNotServed { .. } =>
        "country_not_served", 422, "The shop does not deliver to the country of the address. Nothing was charged.",
        "error.country_not_served";
    Refusal::Coupon(CouponProblem::Unknown) => "coupon_unknown", 404, "No coupon has this code.", "error.coupon_unknown";
    Refusal::Coupon(CouponProblem::NotStarted) => "coupon_not_started", 409, "The coupon cannot be used yet.", "error.coupon_not_started";
    Refusal::Coupon(CouponProblem::Ended) => "coupon_ended", 409, "The coupon has ended.", "error.coupon_ended";
    Refusal::Coupon(CouponProblem::UsedUp) => "coupon_used_up", 409, "The coupon is used up. An order that ends without a payment returns its use.", "error.coupon_used_up";
    Refusal::Coupon(CouponProblem::PersonLimit) => "coupon_person_limit", 409, "The buyer has used the coupon as often as one person may.", "error.coupon_person_limit";
    Refusal::Coupon(CouponProblem::OtherShow) => "coupon_other_show", 409, "The coupon is for another show.", "error.coupon_other_show";
    Refusal::Coupon(CouponProblem::Products) => "coupon_products", 409, "The coupon is not for the products of this order.", "error.coupon_products";
    Refusal::Coupon(CouponProblem::Minimum(_)) => "coupon_minimum", 409, "The order costs less than the coupon needs.", "error.coupon_minimum";
    Refusal::Coupon(CouponProblem::Currency) => "coupon_currency", 409, "The amount or the minimum of the coupon is in another currency.", "error.coupon_currency";
    Refusal::AlreadyPaid => "already_paid", 409, "The order is already paid.", "error.already_paid";
    Refusal::AlreadyPlaced =>
        "already_placed", 409, "The order is placed already, and the shop receives the payment itself.", "error.already_placed";
    Refusal::MethodOff { .. } => "method_off", 409, "The order cannot be paid in this way. It is still held.", "error.method_off";
    Refusal::MethodNeedsEmail =>
        "method_needs_email", 403, "Only buyers who proved an e-mail address or have an account can pay later. The order is still held.",
        "error.method_needs_email";
    Refusal::NoSuchCard => "no_such_card", 404, "You have no such saved card. Nothing was charged.", "error.no_such_card";
    Refusal::TooManyPlaced =>
        "too_many_placed", 409, "The buyer has too many orders that are placed and not paid. This one is still held.",
        "error.too_many_placed";
    Refusal::Declined => "declined", 402, "The payment was declined. The order is still held.", "error.declined";
    Refusal::CaptureFailed =>
        "capture_failed", 402, "The payment failed. The order was cancelled and nothing was charged.", "error.capture_failed";
    Refusal::PaymentQueued { .. } =>
        "payment_queued", 503, "The payment waits for its turn, and the order stays held. Send the same request again with the same key.",
        "error.payment_queued";
    Refusal::NeedsAction { .. } =>
        "needs_action", 402, "The buyer must confirm the payment. The order is still held.", "error.needs_action";
    Refusal::PaymentsOff =>
        "payments_off", 409, "This shop takes no payments now. Nothing was charged, and a reservation ends at the time shown.",
        "error.payments_off";
    Refusal::NotPaid => "not_paid", 409, "The order is not paid.", "error.not_paid";
    Refusal::AlreadyRefunded => "already_refunded", 409, "The order is already refunded.", "error.already_refunded";
    Refusal::RefundFailed =>
        "refund_failed", 402, "The payment provider refused the refund. The order is still paid.", "error.refund_failed";
    Refusal::BadSignature =>
        "bad_signature", 400, "The signature does not match the body, or the webhook is too old.", "error.bad_signature";
    Refusal::Muted { .. } => "muted", 403, "You are muted in this show.", "error.muted";
    Refusal::Banned => "banned", 403, "You are banned from this show.", "error.banned";
    Refusal::SlowMode { .. } =>
        "slow_mode", 429, "Slow mode is on. Wait before you send the next message.", "error.slow_mode";
    Refusal::ChatBudget { .. } =>
        "chat_budget", 429, "The chat rate limit is reached. Wait a moment.", "error.chat_budget";
    Refusal::ChatOff => "chat_off", 403, "Only the team can write in the chat now.", "error.chat_off";
    Refusal::BlockedWord => "blocked_word", 422, "Your message contains a blocked word.", "error.blocked_word";
    Refusal::NameClaimsRole =>
        "name_claims_role", 422, "A viewer's name must not look like the name of a team member.", "error.name_claims_role";
    Refusal::LinksNotAllowed =>
        "links_not_allowed", 422, "Links aren't allowed in this chat.", "error.links_not_allowed";
    Refusal::RepeatedCharacters =>
        "repeated_characters", 422, "Too many repeated characters.", "error.repeated_characters";
    Refusal::DuplicateMessage { .. } =>
        "duplicate_message", 429, "You sent the same message a moment ago.", "error.duplicate_message";
    Refusal::ReviewQueueFull { .. } =>
        "review_queue_full", 503, "Too many messages are waiting for review.", "error.review_queue_full";
    Refusal::SignInCodeInvalid =>
        "sign_in_code_invalid", 400, "This sign-in code is wrong, used, expired, or meant for another site.",
        "error.sign_in_code_invalid";
    Refusal::EmailCodeWrong =>
        "email_code_wrong", 400, "This is not the code that was sent. Try again.", "error.email_code_wrong";
    Refusal::EmailCodeInvalid =>
        "email_code_invalid", 400, "This code was used, is too old, was tried too often, or another browser asked for it. Ask for a new one.",
        "error.email_code_invalid";
    Refusal::EmailOff =>
        "email_off", 409, "This shop sends no e-mail, so nobody can sign in by a code.", "error.email_off";
    Refusal::FollowsOff =>
        "follows_off", 409, "This shop sends no e-mails to followers.", "error.follows_off";
    Refusal::FollowLinkInvalid =>
        "follow_link_invalid", 404, "This link is not known, or its two days are over. Ask for a new one.",
        "error.follow_link_invalid";
    Refusal::MailRefused(_) =>
        "mail_refused", 422, "The mail server did not accept the test message.", "error.mail_refused";
    Refusal::SecretsKeyMissing =>
        "secrets_key_missing", 409, "This server has no --secrets-key-file, so it stores no password. Set the mail server by --smtp-url.",
        "error.secrets_key_missing";
    Refusal::StripeKeys(StripeKeyProblem::Kind(_)) =>
        "stripe_key_kind", 400, "The key is not of the kind of this field: rk_… or sk_…, pk_…, whsec_…. Nothing was stored.", "error.stripe_key_kind";
    Refusal::StripeKeys(StripeKeyProblem::Modes) =>
        "stripe_key_mode", 422, "One of the keys is for tests, and the other for real money. Nothing was stored.", "error.stripe_key_mode";
    Refusal::StripeKeys(StripeKeyProblem::Rejected(_)) =>
        "stripe_key_rejected", 422, "Stripe does not accept this key: it is mistyped, revoked, or has expired. Nothing was stored.", "error.stripe_key_rejected";
    Refusal::StripeKeys(StripeKeyProblem::Rights(_)) =>
        "stripe_key_rights", 422, "The restricted key lacks a right that payments need. Nothing was stored.", "error.stripe_key_rights";
    Refusal::StripeKeys(StripeKeyProblem::OtherAccount) =>
        "stripe_key_account", 422, "The publishable key and the secret key belong to different accounts. Nothing was stored.", "error.stripe_key_account";
    Refusal::StripeKeys(StripeKeyProblem::Unreachable) =>
        "stripe_unreachable", 503, "Stripe did not answer, so the keys could not be checked. Nothing was stored.", "error.stripe_unreachable";
    Refusal::StripeKeys(StripeKeyProblem::StandIn) =>
        "stripe_stand_in", 422, "This server uses a test server in place of Stripe (--stripe-api-base or --stripe-element-js), which must not get a live key.", "error.stripe_stand_in";
    Refusal::StripeKeys(StripeKeyProblem::AccountChanges) =>
        "stripe_account_changes", 409, "The shop was paid with another account or mode. Remove its keys if they are still set, wait half a minute, and then set these.", "error.stripe_account_changes";
    Refusal::StripeKeys(StripeKeyProblem::PaymentsOpen(_)) =>
        "stripe_payments_open", 409, "Payments or refunds of the previous account are not finished, and these keys cannot be used to finish them.", "error.stripe_payments_open";
    Refusal::StripeKeys(StripeKeyProblem::Fixed(_)) =>
        "stripe_keys_fixed", 409, "The keys of Stripe cannot be set here.", "error.stripe_keys_fixed";
    Refusal::NameNeeded => "name_needed", 422, "A new account needs a name.", "error.name_needed";
    Refusal::BuyersVerified =>
        "buyers_verified", 403, "This offer is for buyers who proved their e-mail address.", "error.buyers_verified";
    Refusal::BuyersAccount =>
        "buyers_account", 403, "This offer is for buyers who have an account.", "error.buyers_account";
    Refusal::NoSession =>
        "no_session", 409, "You signed in with a token, so there is no session to change.", "error.no_session";
    Refusal::LastOwner =>
        "last_owner", 409, "The shop must keep an owner: make somebody else an owner first.", "error.last_owner";
    Refusal::NoSuchMember =>
        "no_such_member", 404, "There is no such account, or it has no role there.", "error.no_such_member";
    Refusal::SetupLinkInvalid =>
        "setup_link_invalid", 404, "This link was used, is too old, or was replaced by a newer one.", "error.setup_link_invalid";
    Refusal::NoSuchApiKey => "no_such_api_key", 404, "There is no such API key, or it has ended.", "error.no_such_api_key";
    Refusal::NoSuchCustomer =>
        "no_such_customer", 404, "No customer has this id. A new customer appears after about a minute.", "error.no_such_customer";
    Refusal::NoSuchPolicy => "no_such_policy", 404, "The shop has not written this policy.", "error.no_such_policy";
    Refusal::ScopeMissing =>
        "scope_missing", 403, "The API key does not have the scope for this, or no key may do it.", "error.scope_missing";
    Refusal::SignInAgain =>
        "sign_in_again", 403, "This needs a sign-in that is younger than ten minutes. Sign in again.", "error.sign_in_again";
    Refusal::PasskeyInvalid(_) => "passkey_invalid", 400, "The passkey was not accepted.", "error.passkey_invalid";
    Refusal::PasskeyNeeded =>
        "passkey_needed", 403, "This account has a passkey. Use it in this session first.", "error.passkey_needed";
    Refusal::NoSuchPasskey => "no_such_passkey", 404, "There is no such passkey.", "error.no_such_passkey";
    Refusal::PasskeysOff =>
        "passkeys_off", 409, "Passkeys need a shop with a host name, and HTTPS except on localhost.", "error.passkeys_off";
    Refusal::OidcOff => "oidc_off", 409, "This shop has no identity provider.", "error.oidc_off";
    Refusal::OidcInvalid =>
        "oidc_invalid", 400, "This sign-in was used, is too old, or was started in another browser. Start again.",
        "error.oidc_invalid";
    Refusal::OidcFailed =>
        "oidc_failed", 502, "The identity provider did not answer, or its answer was not accepted. Try again.",
        "error.oidc_failed";
    Refusal::TooManyRequests { .. } =>
        "too_many_requests", 429, "Too many requests. Nothing was done. Wait a moment.", "error.too_many_requests";
    Refusal::TooManyPayments { .. } =>
        "too_many_payments", 429, "Too many attempts to pay. The order is still held. Wait before the next one.",
        "error.too_many_payments";
    Refusal::TooManyHolds { .. } =>
        "too_many_holds", 429, "Several reservations of this offer ended without a payment. Wait before the next one.",
        "error.too_many_holds";
    Refusal::Busy { .. } => "busy", 503, "The server is busy. Nothing was done. Try again.", "error.busy";
}

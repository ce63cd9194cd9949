//! Every function of the store runs on large tables: none reads a whole table, or an index from end to end.

use livesouk::domain::offer::NewOffer;
use livesouk::domain::order::request_hash;
use livesouk::domain::sign_in_code::hash_sign_in_code;
use livesouk::domain::stream_change::StreamForm;
use livesouk::domain::test_provider::{IntentChange, TestScenario};
use livesouk::domain::{
    Actor, AuditAction, AuditEntry, AuditFilter, Blocklist, ChatMessage, ChatRulesForm, FulfilmentStep, Helper, Invite,
    InviteId, Language, Market, MessageId, Name, OfferId, OrderId, PaymentStatus, Product, Quote, QuoteRules, Role,
    SanctionKind, ShopOrderFilter, StreamId, StreamStatus, Variant, VariantId,
};
use livesouk::store::{
    IdempotencyRecord, KeyedRequest, LockWait, NewPayment, NewSession, OrderNote, OrderToOpen, OwedRefund,
    ReleaseReason, Reported, TypedEmailCode,
};
use uuid::Uuid;

use super::exceptions::{EXCEPTIONS, NOT_CALLED};
use super::large_tables::{self, OLD_USER, old_offer, old_order, old_stream};
use super::plan::{Plans, Ran};
use super::{
    coupons, imports, payment_days, payment_queue, people, placed_orders, products, refunds, saved_cards, videos,
};
use crate::contract_store::account::{new_code, secret, typed};
use crate::contract_store::address::address;
use crate::contract_store::builders::{
    actor, audit_entry, key, person, purchase_request, purchase_requests, stream, user,
};
use crate::contract_store::chat::message;
use crate::contract_store::fixture::Fixture;
use crate::contract_store::sanction::sanction;

/// Calls a function of the store, and notes the call. Refusals are answers too.
macro_rules! call {
    ($calls:ident, $name:ident($($argument:expr),* $(,)?)) => {{
        $calls.begin(stringify!($name));
        match $calls.shop.store.$name($($argument),*).await {
            Ok(value) => Some(value),
            Err(livesouk::store::Error::Refused(_)) => None,
            Err(fault) => panic!("{}: {fault}", stringify!($name)),
        }
    }};
}
pub(super) use call;

pub(super) struct Calls {
    pub shop: Fixture,
    plans: Plans,
    called: std::cell::RefCell<Vec<&'static str>>,
}

impl Calls {
    pub fn begin(&self, name: &'static str) {
        self.plans.begin(name);
        self.called.borrow_mut().push(name);
    }
}

async fn streams(c: &Calls) {
    let (shop, entry) = (&c.shop, |kind| audit_entry(c.shop.stream, kind));
    call!(c, stream(old_stream()));
    call!(c, streams(None, None, 50));
    call!(c, streams(Some(StreamStatus::Scheduled), None, 50));
    call!(c, streams_by_id(&[shop.stream, old_stream()], Some(StreamStatus::Live)));
    call!(c, show_texts(10_000));
    call!(c, create_stream(shop.shop.id, &stream(StreamId::new())));
    call!(c, start_stream(shop.stream, 1));
    let offer = shop.offer(5, 5).await;
    call!(c, pin(shop.stream, offer));
    call!(c, unpin(shop.stream));
    call!(c, set_rules(shop.stream, &ChatRulesForm::default(), &entry(AuditAction::Rules)));
    call!(c, set_notice(shop.stream, Some("hi"), &entry(AuditAction::Rules)));
    let said = message(shop.stream, "ann", "hello");
    call!(c, insert_messages(std::slice::from_ref(&said)));
    call!(c, pin_message(&said, &entry(AuditAction::PinMessage)));
    call!(c, unpin_removed_message(shop.stream, Some(said.id), None));
    call!(c, unpin_message(shop.stream, &entry(AuditAction::UnpinMessage)));
    call!(c, add_likes(shop.stream, 5));
    call!(c, stream_versions(&[shop.stream, old_stream()]));
    call!(c, blocklist(old_stream()));
    call!(c, set_blocklist(shop.stream, &Blocklist::empty(), &entry(AuditAction::Blocklist)));
    let (ended, off) = (StreamId::new(), StreamId::new());
    call!(c, create_stream(shop.shop.id, &stream(ended)));
    let form = StreamForm { edition: 1, title: Some("Late".into()), ..StreamForm::default() };
    call!(c, change_stream(ended, &form, &entry(AuditAction::ChangeShow)));
    call!(c, copy_stream(shop.shop.id, (Some(shop.stream), &stream(StreamId::new())), None));
    call!(c, create_stream(shop.shop.id, &stream(off)));
    call!(c, cancel_stream(off, 2, &entry(AuditAction::CancelShow)));
    call!(c, end_stream(ended, 2));
}

async fn offers(c: &Calls) {
    let shop = &c.shop;
    call!(c, offer(old_offer()));
    call!(c, offers_of_stream(old_stream()));
    call!(c, offers_on_sale(&[shop.stream, old_stream()]));
    call!(c, offers_by_id(&[old_offer()]));
    let new = shop.new_offer(50, 50);
    call!(c, create_offer(&new, None));
    let quick = NewOffer { id: OfferId::new(), variant: VariantId::new(), quantity: 1, ..shop.new_offer(1, 1) };
    let variant = Variant { id: quick.variant, name: "#".into(), price: 5, stock: 1, ..Variant::default() };
    let product = Product { title: "#".into(), variants: vec![variant], ..Product::default() };
    let request = KeyedRequest {
        user: user("mod-1"),
        name: "Mo".into(),
        verb: "create_quick_item",
        key: key("quick-item"),
        hash: request_hash(&["quick"]),
        entry: None,
    };
    call!(c, create_quick_item(shop.shop.id, (&product, &quick), &request));
    call!(c, quick_number(quick.id));
    call!(c, schedule_offer(new.id, Some(i64::MAX / 2)));
    call!(c, start_scheduled_offer(new.id));
    call!(c, offers_due_to_start(1_000));
    call!(c, reorder_lineup(shop.stream, &[new.id]));
    call!(c, open_offer(new.id));
    call!(c, pause_offer(new.id));
    call!(c, restock_offer(new.id, 5, None));
    call!(c, extend_offer(new.id, 5, None));
    call!(c, offers_to_close(1_000));
    call!(c, close_offer(new.id));
    let open = shop.offer(1, 1).await;
    call!(c, add_stock_alert(open, &user(OLD_USER)));
    call!(c, stock_alerts_of(&user(OLD_USER), shop.stream));
    call!(c, stock_alert_counts(&[open]));
    call!(c, remove_stock_alert(open, &user(OLD_USER)));
    call!(c, delete_stock_alerts(open));
    call!(c, closed_offers_with_stock_alerts());
}

async fn chat(c: &Calls) {
    let (shop, entry) = (&c.shop, |kind| audit_entry(c.shop.stream, kind));
    let said = message(shop.stream, "ann", "hello");
    let quote = Quote { id: said.id, user: user("ann"), name: "Ann".into(), text: "hello".into() };
    let reply = ChatMessage { reply: Some(quote), ..message(shop.stream, "bob", "yes") };
    call!(c, insert_messages(&[said.clone(), reply]));
    call!(c, messages(old_stream(), None, 50, false));
    call!(c, messages_until(old_stream(), (None, Some(5_000)), 50, false));
    call!(c, messages_after(old_stream(), None, 50));
    call!(c, message(shop.stream, said.id));
    call!(c, delete_message(shop.stream, said.id, &entry(AuditAction::Delete)));
    call!(c, count_messages(old_stream()));
    let doubtful = message(shop.stream, "cem", "hm");
    call!(c, queue_for_review(&doubtful));
    call!(c, review_queue(old_stream(), None));
    call!(c, review_queue(shop.stream, Some(&user("cem"))));
    let decision = entry(AuditAction::Approve);
    call!(c, decide_review(shop.stream, doubtful.id, true, &decision));
    call!(c, requeue_for_review(doubtful.id, &entry(AuditAction::Requeue)));
    call!(c, insert_audit_entry(&entry(AuditAction::Open)));
    call!(c, audit_entries(old_stream(), None, None, 50));
    call!(c, audit_entries(old_stream(), Some(&user(OLD_USER)), None, 50));
    call!(c, audit_entries_after(old_stream(), None, 50));
    call!(c, all_audit_entries(&AuditFilter::default(), None, 50));
    call!(c, all_audit_entries_after(None, 50));
    call!(c, last_examined_audit_entry(None));
    call!(c, delete_messages_before(1_000));
}

async fn moderation(c: &Calls) {
    let (shop, entry) = (&c.shop, |kind| audit_entry(c.shop.stream, kind));
    call!(c, add_sanction(shop.stream, &sanction("ann", SanctionKind::Ban, None), &entry(AuditAction::Ban)));
    call!(c, delete_messages_of(shop.stream, &user("ann"), 5_000, "mod"));
    call!(c, lift_sanction(shop.stream, &user("ann"), SanctionKind::Ban, &entry(AuditAction::Unban)));
    call!(c, sanctions(old_stream(), 5));
    for who in [OLD_USER, "nobody-at-all"] {
        call!(c, known_roles_of(old_stream(), &user(who)));
        call!(c, highest_ban_of(&person(who)));
        call!(c, last_name_of(old_stream(), &user(who)));
    }
    let made = Invite {
        id: InviteId::new(),
        stream: shop.stream,
        role: Role::Moderator,
        by: "Noura".into(),
        created_at: 1,
        expires_at: i64::MAX,
        revoked_at: None,
        uses_max: 1,
        helpers: Vec::new(),
    };
    call!(c, create_invite(&made, &Invite::hash("right")));
    call!(c, invites(shop.stream));
    call!(
        c,
        accept_invite(&Invite::hash("right"), &Helper { user: user("helper-mo"), name: "Mo".into(), joined_at: 2 })
    );
    call!(c, revoke_invite(shop.stream, made.id, 3));
    call!(c, revoked_helpers(old_stream(), 1));
    let whole_shop = |kind| AuditEntry { stream: AuditEntry::WHOLE_SHOP, ..entry(kind) };
    let revoked = call!(c, revoke_tokens_of_user(&user("ann"), 5_000, &whole_shop(AuditAction::RevokeTokens)));
    call!(c, revoke_token("jti-1", None, 5_000, &whole_shop(AuditAction::RevokeTokens)));
    call!(c, undo_token_revocation(revoked.unwrap().id, &whole_shop(AuditAction::RestoreTokens)));
    call!(c, token_revocations(None, 50));
    call!(c, token_revocation_version());
    call!(c, revoked_tokens());
    call!(c, correct_future_sign_outs());
    call!(c, create_sign_in_code(&hash_sign_in_code("code"), &user("ann"), "https://shop.example", b"sealed"));
    call!(c, take_sign_in_code(&hash_sign_in_code("code")));
}

async fn orders(c: &Calls) {
    let shop = &c.shop;
    let offer = shop.offer(500, 500).await;
    call!(c, sell(offer, &purchase_requests(0..50)));
    let first = purchase_request("buyer-1", "key-of-0001", 1);
    call!(c, sell(offer, std::slice::from_ref(&first)));
    call!(c, order(old_order()));
    call!(c, orders_by_id(&[old_order()]));
    call!(c, reservation(old_order()));
    call!(c, reservation_by_key(&user("buyer-1"), &key("key-of-0001")));
    call!(c, orders_of_buyer(&user(OLD_USER), None, None, 50));
    call!(c, orders_of_buyer(&user("nobody-at-all"), Some(old_stream()), None, 50));
    call!(c, recent_orders_of(&[user(OLD_USER), user("nobody-at-all")], 0));
    call!(c, counted_reservations(&person(OLD_USER), old_offer()));
    call!(c, buyers_at_places(old_offer(), 0, 20));
    call!(c, order_timestamps(old_order()));
    let held = call!(c, reservation_by_key(&user("buyer-2"), &key("key-of-0002"))).flatten().unwrap();
    let record =
        IdempotencyRecord { verb: "cancel", key: key("cancel-00001"), hash: [1; 32], order: held.id, code: None };
    call!(c, insert_idempotency_record(&user("buyer-2"), &record));
    call!(c, find_idempotency_record(&user("buyer-2"), "cancel", &key("cancel-00001")));
    call!(c, release_reservations(offer, &[held.id], ReleaseReason::BuyerCancel, Some((&user("buyer-2"), &record))));
    let line = call!(c, reservation_by_key(&user("buyer-3"), &key("key-of-0003"))).flatten().unwrap();
    call!(c, open_order(&user("buyer-3"), &[line.id])).unwrap();
    let joins = c.shop.hold_one(c.shop.offer(5, 5).await, "buyer-3").await.id;
    c.shop.store.set_address(joins, &address("Ann")).await.unwrap();
    call!(c, open_and_quote_order(&user("buyer-3"), &[joins], QuoteRules::default())).unwrap();
    let alone = c.shop.hold_one(c.shop.offer(5, 5).await, "buyer-4").await.id;
    let new = OrderToOpen { buyer: user("buyer-4"), reservations: vec![alone] };
    let opened = call!(c, open_new_orders(&[new], QuoteRules::default())).unwrap();
    assert!(opened[0].is_some(), "its queries have run");
    call!(c, offers_with_expired_holds(i64::MAX));
    call!(c, set_address(first.reservation, &address("Ann")));
    call!(c, address(old_order()));
    call!(c, addresses_of(&[old_order()]));
    call!(c, erase_address(first.reservation));
    call!(c, sent_at(old_order()));
    call!(c, erase_addresses_before(1_700_000_000_000));
    call!(c, save_address(&user("buyer-1"), &address("Ann")));
    call!(c, saved_address(&user("buyer-1")));
    call!(c, delete_saved_address(&user("buyer-1")));
    call!(c, delete_saved_addresses_before(1_700_000_000_000));
    call!(c, release_expired_holds(offer, LockWait::Skip));
    // A sold-out offer looks for unpaid reservations.
    let sold_out = shop.offer(1, 1).await;
    call!(c, sell(sold_out, &purchase_requests(60..63)));
    call!(c, offer(sold_out));
}

async fn seller_desk(c: &Calls) {
    let paid = c.shop.paid_one(c.shop.offer(5, 5).await, "desk").await;
    for filter in [
        ShopOrderFilter::default(),
        ShopOrderFilter { buyer: Some(user(OLD_USER)), ..Default::default() },
        ShopOrderFilter { buyer: Some(user("nobody-at-all")), ..Default::default() },
        ShopOrderFilter { since: Some(1), until: Some(2), ..Default::default() },
    ] {
        call!(c, shop_orders(&filter, None, 50));
    }
    call!(c, fulfilment(old_order()));
    call!(c, set_fulfilment(paid, FulfilmentStep::Packed, None, &user("mod")));
    call!(c, set_fulfilment(paid, FulfilmentStep::Sent, None, &user("mod")));
    call!(c, undo_fulfilment(paid, FulfilmentStep::Sent));
    call!(c, payments_of_order(old_order()));
    call!(c, order_notes(old_order()));
    let note = OrderNote { id: Uuid::now_v7(), at: 1, by: "mod".into(), by_name: "Mo".into(), text: "x".into() };
    call!(c, add_order_note(paid, &note));
    call!(c, order_tags(old_order()));
    call!(c, add_order_tag(paid, "gift"));
    call!(c, remove_order_tag(paid, "gift"));
    call!(c, tags_in_use());
}

async fn payments(c: &Calls) {
    let shop = &c.shop;
    let order = shop.hold_one(shop.offer(5, 5).await, "payer").await.id;
    let held = shop.order(order).await;
    call!(c, quote(&held, QuoteRules { delivery_fee: 2_000, ..QuoteRules::default() }));
    let new = NewPayment {
        order,
        buyer: user("payer"),
        key: key("pay-00001"),
        hash: request_hash(&["pay"]),
        provider: "test",
        token: "ok".into(),
        card: Default::default(),
        quote_version: None,
        rules: QuoteRules::default(),
        // With countries, so that the one of the address is read.
        market: Market { countries: vec!["SA".to_owned()] },
        is_queued: false,
        request_ms: 0,
    };
    let begun = call!(c, begin_payment(&new)).unwrap().payment;
    payment_queue::payment_queue(c, &begun).await;
    call!(c, payment_by_key(&user("payer"), &key("pay-00001")));
    call!(c, payment(order, 1));
    call!(c, create_test_intent(&begun, TestScenario::Ok, 1_000));
    let intent = call!(c, test_intent_of(order, 1)).flatten().unwrap().intent;
    call!(c, test_intent(&intent.reference));
    call!(c, change_test_intent("capture-1", &intent.reference, IntentChange::Capture, 1_000));
    call!(c, prune_test_calls(1_000));
    call!(c, update_payment_status(&begun, PaymentStatus::Authorized, Some(intent.reference.as_str())));
    call!(c, claim_payment(&begun, i64::MAX));
    call!(c, payment_action_url(&begun));
    call!(c, lost_reason(&begun));
    let fingerprint = Some("fp-7");
    call!(
        c,
        begin_capture(&begun, Reported { reference: Some(&intent.reference), fingerprint, ..Reported::default() })
    );
    call!(c, winning_payment(order));
    call!(c, payments_to_reconcile(i64::MAX, 100));
    call!(c, finish_capture(order));
    call!(c, release_failed_capture(order));
    call!(c, owe_refund(&begun, &intent));
    call!(c, owed_refunds(i64::MAX, 100));
    call!(c, claim_owed_refund(&begun, i64::MAX));
    call!(c, count_owed_refunds());
    let owed = call!(c, owed_refund(&begun)).flatten().unwrap_or(OwedRefund { amount: 1, tries: 1, reference: None });
    call!(c, note_owed_reference(&begun, &owed, "re_1"));
    call!(c, begin_next_return(&begun, &owed, 1));
    call!(c, finish_owed_refund(&begun));
    call!(c, returned_money_to_check(0, i64::MAX, 100));
    payment_days::all(c, &begun).await;
    payment_queue::outbox(c).await;
    saved_cards::all(c, &begun).await;
    refunds::all(c, order).await;
    placed_orders::all(c).await;
    coupons::all(c).await;
    payment_queue::events(c, &intent.reference).await;
}

async fn reports(c: &Calls) {
    call!(c, sum_orders(0));
    call!(c, count_unsummed_orders());
    call!(c, record_viewers(&[(c.shop.stream, 60_000, 5)]));
    call!(c, viewers_by_minute(old_stream()));
    call!(c, pin_spans(old_stream()));
    call!(c, sales_totals(old_stream()));
    call!(c, sales_by_offer(old_stream()));
    call!(c, orders_by_minute(old_stream()));
    call!(c, messages_by_minute(old_stream()));
    call!(c, count_failed_payments(old_stream()));
}

async fn accounts(c: &Calls) {
    let code = new_code("ann@example.com");
    call!(c, create_email_code(&code));
    let (session, _) = call!(c, use_email_code(&typed(code.id, 1))).unwrap();
    // A guest with purchases signs in to the account.
    let guest = c
        .shop
        .store
        .create_guest_session(
            &Name::parse("Gus").unwrap(),
            &NewSession { secret: secret(8), user_agent: "x".into(), is_strong: false },
        )
        .await
        .unwrap();
    c.shop.paid_one(c.shop.offer(5, 5).await, guest.user.as_str()).await;
    let again = new_code("ann@example.com");
    c.shop.store.create_email_code(&again).await.unwrap();
    call!(c, use_email_code(&TypedEmailCode { guest: Some(guest.actor()), ..typed(again.id, 10) }));
    call!(c, account_by_email(&code.email));
    let ann = Name::parse("Ann").unwrap();
    let account = call!(c, find_or_create_account(&code.email, Some(&ann), Language::English)).unwrap();
    call!(c, account(account.id));
    call!(c, person_of(&session.user));
    call!(c, create_order_link(old_order(), &secret(7)));
    call!(c, order_of_link(&secret(7)));
    call!(c, create_account_without_email(&ann, Language::English));
    let new = |number| NewSession { secret: secret(number), user_agent: "a browser".into(), is_strong: false };
    call!(c, create_account_session(&account, &new(2)));
    call!(c, create_guest_session(&ann, &new(3)));
    call!(c, session_by_secret(&secret(2)));
    call!(c, touch_session(session.id));
    call!(c, sessions_of(&session.user));
    call!(c, rename_user(&session.user, &ann, false));
    people::passkeys(c, &session).await;
    let who = Actor { user: session.user.clone(), ..actor("ann") };
    call!(c, end_session(&who, session.id));
    call!(c, end_all_sessions(&who));
    call!(c, delete_erased_mailboxes(500));
    call!(c, delete_expired_sign_ins(1_000, 100));
    let request = KeyedRequest {
        user: user("noura"),
        name: "Noura".into(),
        verb: "restock",
        key: key("restock-0001"),
        hash: [1; 32],
        entry: None,
    };
    call!(c, earlier_result(&request));
}

/// The last, because it changes the user's rows.
async fn erasure(c: &Calls) {
    call!(c, erase_user_data(&user(OLD_USER)));
    call!(c, erase_orphaned_quotes(old_stream()));
}

/// The functions of the store in its source.
fn functions_of_the_store() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    // These have connections, not queries.
    let others = ["connection_pool.rs", "postgres.rs", "postgres_connection.rs", "sqlite.rs", "transaction.rs"];
    let is_query_file = |name: &str| !others.contains(&name);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap().chain(std::fs::read_dir(folder.join("sell")).unwrap()) {
        let path = entry.unwrap().path();
        if path.is_file() && is_query_file(path.file_name().unwrap().to_str().unwrap()) {
            let source = std::fs::read_to_string(&path).unwrap();
            let after = source.split("pub async fn ").skip(1);
            found.extend(after.filter_map(|rest| Some(rest.split_once('(')?.0.split('<').next()?.to_owned())));
        }
    }
    found.sort();
    found.dedup();
    found
}

fn report(faults: &[(Ran, Vec<String>)]) -> String {
    let lines = faults.iter().map(|(ran, why)| format!("{}: {}\n    {}", ran.step, why.join("; "), ran.sql()));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn no_query_reads_a_whole_table() {
    let shop = Fixture::on_postgres().await;
    large_tables::fill(&shop).await;
    let plans = Plans::collect(&shop).await;
    let shop = shop.reopened().await;
    let c = Calls { shop, plans, called: Default::default() };
    products::shop_and_products(&c).await;
    imports::imports(&c).await;
    streams(&c).await;
    videos::all(&c).await;
    offers(&c).await;
    chat(&c).await;
    moderation(&c).await;
    orders(&c).await;
    seller_desk(&c).await;
    payments(&c).await;
    reports(&c).await;
    accounts(&c).await;
    people::mails(&c).await;
    people::staff(&c).await;
    people::withdrawals(&c).await;
    people::identities(&c).await;
    people::settings(&c).await;
    erasure(&c).await;

    let ran = c.plans.take();
    let calls = c.called.borrow().len();
    assert!(calls < ran.len(), "{} plans of {calls} calls", ran.len());
    let is_meant = |ran: &Ran| EXCEPTIONS.iter().any(|(step, _)| *step == ran.step);
    let faults = ran.into_iter().filter(|ran| !is_meant(ran)).map(|ran| {
        let why = ran.faults();
        (ran, why)
    });
    let faults: Vec<_> = faults.filter(|(_, why)| !why.is_empty()).collect();
    assert!(faults.is_empty(), "{} statements search where they should look up:\n{}", faults.len(), report(&faults));

    assert_every_function_was_called(&c.called.borrow());
    assert_missing_indexes_are_noticed(&c).await;
}

fn assert_every_function_was_called(called: &[&'static str]) {
    let is_known = |name: &String| called.contains(&&**name) || NOT_CALLED.iter().any(|(other, _)| other == name);
    let missing: Vec<String> = functions_of_the_store().into_iter().filter(|name| !is_known(name)).collect();
    assert_eq!(missing, Vec::<String>::new(), "add a call of each new function of the store to this test");
}

/// The control: without their indexes, the test sees that these calls search.
async fn assert_missing_indexes_are_noticed(c: &Calls) {
    c.shop.run("drop index sanctions_of_user; drop index test_calls_by_age").await;
    call!(c, highest_ban_of(&person(OLD_USER)));
    call!(c, prune_test_calls(1_000));
    let faults: Vec<String> = c.plans.take().iter().flat_map(Ran::faults).collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn order_id_of_the_large_tables_is_an_id_of_time() {
    assert_eq!(old_order().created_at(), 1_600_000_200_000);
    assert!(OrderId::first_at(1_600_000_200_000) <= old_order() && MessageId::new().created_at() > 1_600_000_200_000);
}

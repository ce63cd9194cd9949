//! Accounts, sessions and codes by e-mail on both databases.

use livesouk::domain::email_code::hash_email_code;
use livesouk::domain::sign_in_session::SESSIONS_OF_USER_MAX;
use livesouk::domain::{
    Account, AuditAction, EmailAddress, EmailCodeId, Language, ManualMethod, Name, PurchaseRequest, Refusal, Sanction,
    SanctionKind, SecretHash, SessionSecret, SignInSession,
};
use livesouk::store::{NewEmailCode, NewSession, OrderEnd, TypedEmailCode};

use super::builders::{audit_entry, purchase_request, refusal, user};
use super::coupon_builders::percent;
use super::fixture::{Fixture, facts};
use super::placed_order::placed;
use super::sanction::sanction;

facts! {
    guest_joins_the_account_with_everything_or_nothing
    order_has_five_links_and_the_newest_stay
    code_signs_in_one_of_many_who_type_it_at_once
    mailbox_gets_three_codes_also_when_they_are_asked_for_at_once
    accounts_of_one_mailbox_are_one_person_also_when_they_are_made_at_once
    blocked_person_stays_blocked_when_the_account_was_erased_and_made_again
    limit_of_a_sale_holds_after_the_account_was_erased_and_made_again
    mailbox_of_an_erased_account_is_kept_while_a_placed_order_is_not_paid
    mailbox_of_an_erased_account_is_forgotten_when_nothing_binds_its_person
    account_has_at_most_fifty_sessions
    expired_sessions_and_old_codes_are_deleted
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub fn secret(number: u8) -> SecretHash {
    SessionSecret::new([number; 32]).hash()
}

fn browser() -> SessionSecret {
    SessionSecret::new([200; 32])
}

pub fn new_code(to: &str) -> NewEmailCode {
    let id = EmailCodeId::new();
    let code = hash_email_code(id, "123456", &browser());
    NewEmailCode { id, email: email(to), language: Language::Arabic, code, browser: browser().hash(), mailed: None }
}

pub fn typed(id: EmailCodeId, number: u8) -> TypedEmailCode {
    let session = NewSession { secret: secret(number), user_agent: "a browser".into(), is_strong: false };
    TypedEmailCode {
        id,
        code: "123456".into(),
        browser: browser(),
        name: Name::parse("Ann").ok(),
        guest: None,
        session,
    }
}

async fn code_signs_in_one_of_many_who_type_it_at_once(shop: Fixture) {
    let code = new_code("ann@example.com");
    shop.store.create_email_code(&code).await.unwrap();
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (store, typed) = (shop.store.clone(), typed(code.id, number));
        tries.spawn(async move { store.use_email_code(&typed).await });
    }
    let results = tries.join_all().await;
    let signed_in: Vec<SignInSession> =
        results.into_iter().filter_map(Result::ok).map(|(session, _)| session).collect();
    assert_eq!(signed_in.len(), 1);
    assert_eq!(shop.number("select count(*) from sign_in_sessions").await, 1);
    let account = shop.store.account_by_email(&email("ann@example.com")).await.unwrap().unwrap();
    assert_eq!((account.language, &account.id.user()), (Language::Arabic, &signed_in[0].user));
}

async fn account_of(shop: &Fixture, address: &str) -> Account {
    let name = Name::parse("Ann").unwrap();
    shop.store.find_or_create_account(&email(address), Some(&name), Language::English).await.unwrap()
}

async fn block(shop: &Fixture, account: &Account) {
    let ban = sanction(account.id.user().as_str(), SanctionKind::Ban, None);
    let ban = Sanction { person: account.person.clone(), ..ban };
    let entry = audit_entry(shop.stream, AuditAction::BlockCustomer);
    shop.store.add_shop_block(&ban, &entry).await.unwrap();
}

async fn blocked_person_stays_blocked_when_the_account_was_erased_and_made_again(shop: Fixture) {
    let first = account_of(&shop, "ann@example.com").await;
    block(&shop, &first).await;
    let erased = shop.store.erase_user_data(&first.id.user()).await.unwrap();
    assert_eq!(erased.mailboxes, 1, "the report says what is kept");
    assert_eq!(shop.store.account_by_email(&email("ann@example.com")).await.unwrap(), None);
    let again = account_of(&shop, "Ann+again@example.com").await;
    assert_ne!(again.id, first.id);
    let blocked = shop.store.shop_blocks().await.unwrap();
    assert!(blocked.iter().any(|(person, _)| *person == again.person), "{blocked:?} {:?}", again.person);
    let other = account_of(&shop, "bob@example.com").await;
    assert_eq!(other.person.user(), &other.id.user());
}

async fn limit_of_a_sale_holds_after_the_account_was_erased_and_made_again(shop: Fixture) {
    let offer = shop.offer(9, 1).await;
    let buy = async |account: &Account, key: &str| {
        let request = purchase_request(account.id.user().as_str(), key, 1);
        shop.buy(offer, &PurchaseRequest { person: account.person.clone(), ..request }).await
    };
    let first = account_of(&shop, "ann@example.com").await;
    buy(&first, "first-key").await.unwrap();
    shop.store.erase_user_data(&first.id.user()).await.unwrap();
    let again = account_of(&shop, "ann@example.com").await;
    assert!(matches!(buy(&again, "second-key").await, Err(Refusal::BuyerLimit { .. })));
}

async fn mailbox_of_an_erased_account_is_kept_while_a_placed_order_is_not_paid(shop: Fixture) {
    let ann = account_of(&shop, "ann@example.com").await;
    let offer = shop.offer(9, 1).await;
    let order = placed(&shop, offer, ann.id.user().as_str(), ManualMethod::BankTransfer).await;
    let debtor = ann.person.as_str();
    shop.run(&format!("update orders set person = '{debtor}' where id = {}", shop.id(order.id.0))).await;
    // The sale is over and binds nobody any more.
    shop.store.close_offer(offer).await.unwrap();
    assert_eq!(shop.store.erase_user_data(&ann.id.user()).await.unwrap().mailboxes, 1);
    assert_eq!(shop.store.delete_erased_mailboxes(500).await.unwrap(), 0);
    shop.store.end_order(order.id, OrderEnd::ShopCancel { restock: true }).await.unwrap();
    assert_eq!(shop.store.delete_erased_mailboxes(500).await.unwrap(), 1);
}

async fn mailbox_of_an_erased_account_is_forgotten_when_nothing_binds_its_person(shop: Fixture) {
    let (ann, bob) = (account_of(&shop, "ann@example.com").await, account_of(&shop, "bob@example.com").await);
    block(&shop, &ann).await;
    for account in [&ann, &bob] {
        shop.store.erase_user_data(&account.id.user()).await.unwrap();
    }
    let kept = "select count(*) from erased_mailboxes";
    assert_eq!(shop.number(kept).await, 1, "nothing binds the other person");
    assert_eq!(shop.store.delete_erased_mailboxes(500).await.unwrap(), 0);
    let entry = audit_entry(shop.stream, AuditAction::UnblockCustomer);
    assert!(shop.store.lift_shop_block(&ann.person, &entry).await.unwrap());
    assert_eq!(shop.store.delete_erased_mailboxes(500).await.unwrap(), 1);
    assert_eq!(shop.number(kept).await, 0);
}

async fn mailbox_gets_three_codes_also_when_they_are_asked_for_at_once(shop: Fixture) {
    let mut asks = tokio::task::JoinSet::new();
    for number in 0..12 {
        let (store, code) = (shop.store.clone(), new_code(&format!("ann+{number}@example.com")));
        asks.spawn(async move { store.create_email_code(&code).await });
    }
    let asked = asks.join_all().await;
    assert_eq!(asked.iter().filter(|result| result.is_ok()).count(), 3);
    let refused = refusal(shop.store.create_email_code(&new_code("ann@example.com")).await);
    assert!(matches!(refused, Refusal::TooManyRequests { .. }), "{refused:?}");
    shop.store.create_email_code(&new_code("bob@example.com")).await.unwrap();
}

async fn accounts_of_one_mailbox_are_one_person_also_when_they_are_made_at_once(shop: Fixture) {
    let mut makes = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = shop.store.clone();
        makes.spawn(async move {
            let (to, name) = (email(&format!("ann+{}@example.com", number % 4)), Name::parse("Ann").ok());
            store.find_or_create_account(&to, name.as_ref(), Language::English).await.unwrap()
        });
    }
    let made = makes.join_all().await;
    assert!(made.iter().all(|account| account.person == made[0].person), "{made:?}");
    assert_eq!(shop.number("select count(*) from accounts").await, 4);
    let missing = shop.store.find_or_create_account(&email("bob@example.com"), None, Language::English).await;
    assert_eq!(refusal(missing), Refusal::NameNeeded);
}

async fn account_has_at_most_fifty_sessions(shop: Fixture) {
    let name = Name::parse("Ann").unwrap();
    let account =
        shop.store.find_or_create_account(&email("ann@example.com"), Some(&name), Language::English).await.unwrap();
    for number in 0..SESSIONS_OF_USER_MAX + 3 {
        let new = NewSession { secret: secret(number as u8), user_agent: String::new(), is_strong: false };
        shop.store.create_account_session(&account, &new).await.unwrap();
    }
    let sessions = shop.store.sessions_of(&account.id.user()).await.unwrap();
    assert_eq!(sessions.len() as i64, SESSIONS_OF_USER_MAX);
    assert_eq!(shop.store.session_by_secret(&secret(0)).await.unwrap(), None);
    let last = shop.store.session_by_secret(&secret(SESSIONS_OF_USER_MAX as u8 + 2)).await.unwrap().unwrap();
    assert_eq!((last.id, last.email), (sessions[0].id, account.email));
}

async fn expired_sessions_and_old_codes_are_deleted(shop: Fixture) {
    let name = Name::parse("Ann").unwrap();
    for number in 0..5 {
        let new = NewSession { secret: secret(number), user_agent: String::new(), is_strong: false };
        shop.store.create_guest_session(&name, &new).await.unwrap();
    }
    shop.store.create_email_code(&new_code("ann@example.com")).await.unwrap();
    shop.store.create_email_code(&new_code("bob@example.com")).await.unwrap();
    assert_eq!(shop.store.delete_expired_sign_ins(0, 10).await.unwrap(), 0);
    shop.run("update sign_in_sessions set expires_at = created_at where user_id <> (select max(user_id) from sign_in_sessions)").await;
    shop.run("update email_codes set created_at = 5 where email = 'ann@example.com'").await;
    assert_eq!(shop.store.delete_expired_sign_ins(6, 3).await.unwrap(), 4);
    assert_eq!(shop.store.delete_expired_sign_ins(6, 3).await.unwrap(), 1);
    let left = "select (select count(*) from email_codes) * 10 + (select count(*) from sign_in_sessions)";
    assert_eq!(shop.number(left).await, 11);
}

/// A guest with two orders, one of whose keys the account used too.
async fn guest_joins_the_account_with_everything_or_nothing(shop: Fixture) {
    let name = Name::parse("Ann").unwrap();
    let account =
        shop.store.find_or_create_account(&email("ann@example.com"), Some(&name), Language::English).await.unwrap();
    let new = NewSession { secret: secret(1), user_agent: String::new(), is_strong: false };
    let guest = shop.store.create_guest_session(&name, &new).await.unwrap().actor();
    let offer = shop.offer(10, 3).await;
    let (of_account, of_guest) = (account.id.user().to_string(), guest.user.to_string());
    for (buyer, key) in [(&of_account, "key-00001"), (&of_guest, "key-00001"), (&of_guest, "key-00002")] {
        shop.buy(offer, &purchase_request(buyer, key, 1)).await.unwrap();
    }
    for buyer in [&of_account, &of_guest] {
        let mine = shop.store.orders_of_buyer(&user(buyer), None, None, 9).await.unwrap();
        let ids: Vec<_> = mine.iter().map(|order| order.id).collect();
        shop.store.open_order(&user(buyer), &ids).await.unwrap();
    }
    let coupon = shop.coupon(percent("TEN", 1_000)).await.id;
    shop.store.claim_coupon(coupon, &guest.person(), &guest.user).await.unwrap();
    let code = new_code("ann@example.com");
    shop.store.create_email_code(&code).await.unwrap();
    let orders_of =
        async |user: &str| shop.number(&format!("select count(*) from reservations where buyer = '{user}'")).await;

    // The session of the account cannot be written, as if the node died before the commit: nothing has moved.
    let broken = TypedEmailCode { guest: Some(guest.clone()), ..typed(code.id, 1) };
    shop.run("update sign_in_sessions set user_id = 'guest:other'").await;
    shop.store.use_email_code(&broken).await.unwrap_err();
    assert_eq!((orders_of(&of_guest).await, orders_of(&of_account).await), (2, 1));

    let right = TypedEmailCode { guest: Some(guest.clone()), ..typed(code.id, 2) };
    shop.store.use_email_code(&right).await.unwrap();
    assert_eq!((orders_of(&of_guest).await, orders_of(&of_account).await), (0, 3));
    let mine = shop.store.orders_of_buyer(&user(&of_account), None, None, 9).await.unwrap();
    assert_eq!(mine.iter().map(|order| order.lines.len()).collect::<Vec<_>>(), [2, 1]);
    let open = format!("select count(*) from orders where buyer = '{of_account}' and status = 'open'");
    assert_eq!(shop.number(&open).await, 1, "a buyer has one open order in a show");
    let person = account.person.as_str();
    let claims = format!("select count(*) from coupon_claims where user_id = '{of_account}' and person = '{person}'");
    assert_eq!(shop.number(&claims).await, 1, "what the guest claimed is the account's");
    let counted = shop.store.counted_reservations(&account.person, offer).await.unwrap();
    assert_eq!(counted.len(), 3, "they count for the limit of the account");
    assert!(shop.buy(offer, &purchase_request(&of_account, "key-00003", 1)).await.is_err());
    // The answer was lost: the code is used up, and the orders are there with the next one.
    refusal(shop.store.use_email_code(&right).await);
    assert_eq!(orders_of(&of_account).await, 3);
}

async fn order_has_five_links_and_the_newest_stay(shop: Fixture) {
    let offer = shop.offer(10, 3).await;
    let order = shop.buy(offer, &purchase_request("ann", "key-00001", 1)).await.unwrap().reservation.id;
    for number in 0..8 {
        shop.store.create_order_link(order, &secret(number)).await.unwrap();
        shop.run("update order_links set created_at = created_at - 1000").await;
    }
    for number in 0..8 {
        let found = shop.store.order_of_link(&secret(number)).await.unwrap();
        assert_eq!(found, (3 <= number).then_some(order), "{number}");
    }
}

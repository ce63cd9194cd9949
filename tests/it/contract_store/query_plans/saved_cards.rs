//! The queries about saved cards.

use livesouk::domain::{CardFacts, CardUse, Language, Name, Payment, SavedCardId, UsedMethod};

use super::every_query::{Calls, call};
use super::large_tables::OLD_USER;
use crate::contract_store::builders::user;

pub(super) async fn all(c: &Calls, payment: &Payment) {
    let old = user(OLD_USER);
    call!(c, saved_cards(&old, true));
    call!(c, saved_card(&old, true, SavedCardId::new()));
    call!(c, remove_saved_card(&old, SavedCardId::new()));
    let account = c.shop.store.create_account_without_email(&Name::parse("Ann").unwrap(), Language::English).await;
    let payer = account.unwrap().id.user();
    c.shop
        .run(&format!("update payments set saves_card = 1, buyer = '{payer}' where order_id = '{}'", payment.order))
        .await;
    let (id, _) = call!(c, payment_customer(payment, false)).flatten().expect("a row");
    call!(c, note_payment_customer(id, false, "cus_new"));
    call!(c, decide_card(payment, Some("cus_new")));
    let facts = CardFacts { brand: "visa".into(), last4: "4242".into(), exp_month: 12, exp_year: 2034 };
    let method = UsedMethod { reference: "pm_new".into(), card: Some(facts) };
    let card = CardUse { saves: true, customer: Some("cus_new".into()) };
    let paid = Payment { card, ..payment.clone() };
    call!(c, keep_card(&paid, &method, Some("fp-7"), false));
    let kept = c.shop.store.saved_cards(&payer, false).await.unwrap();
    call!(c, forget_lost_cards("cus_new", Some(&["pm_new".to_owned()])));
    call!(c, remove_saved_card(&payer, kept[0].id));
    call!(c, drop_card(&paid, &method, false));
    call!(c, oldest_removal());
    let due = call!(c, take_removals(false, 10)).expect("a list");
    call!(c, postpone_removal(&due[0]));
    call!(c, finish_removal(&due[0]));
    call!(c, end_lapsed_removals(Some(false), 0, 10));
    call!(c, forget_lost_cards("cus_new", None));
}

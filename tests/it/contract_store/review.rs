//! The review queue, the blocklist, and the chat rules of a show.

use livesouk::domain::chat::REVIEW_QUEUE_MAX;
use livesouk::domain::{
    AuditAction, AuditEntry, AuditEntryId, BlockAction, BlockedWord, Blocklist, ChatMessage, ChatRulesForm, LinkRule,
    MessageId, Quote, Refusal, SanctionKind, StreamId,
};

use super::builders::{audit_entry, refusal, user};
use super::chat::message;
use super::fixture::{Fixture, facts};
use super::sanction::sanction;

facts! {
    message_in_review_is_hidden_until_approved
    rejected_message_is_never_published
    review_queue_is_bounded
    mute_deletes_messages_in_review
    reply_quotes_a_message_until_it_is_deleted
    new_blocklist_replaces_the_old_and_raises_the_version
    only_given_chat_rules_change
    pinned_message_is_unpinned_with_its_message_or_author
}

async fn message_in_review_is_hidden_until_approved(shop: Fixture) {
    let (said, other) = (message(shop.stream, "ann", "see a.com"), message(shop.stream, "bob", "cheap"));
    for waiting in [&said, &other] {
        shop.store.queue_for_review(waiting).await.unwrap();
    }
    assert_eq!(shop.store.messages(shop.stream, None, 9, true).await.unwrap(), []);
    assert_eq!(shop.store.count_messages(shop.stream).await.unwrap(), 0);
    assert_eq!(shop.store.message(shop.stream, said.id).await.unwrap(), None);
    assert_eq!(
        shop.store.review_queue(shop.stream, None).await.unwrap(),
        [said.clone(), other.clone()],
        "oldest first"
    );
    assert_eq!(shop.store.review_queue(shop.stream, Some(&user("bob"))).await.unwrap(), std::slice::from_ref(&other));
    let entry = audit_entry(shop.stream, AuditAction::Approve);
    assert_eq!(shop.store.decide_review(shop.stream, said.id, true, &entry).await.unwrap(), said);
    assert_eq!(shop.store.messages(shop.stream, None, 9, false).await.unwrap(), std::slice::from_ref(&said));
    assert_eq!(shop.store.review_queue(shop.stream, None).await.unwrap(), [other]);
    let again = shop
        .store
        .decide_review(shop.stream, said.id, true, &super::builders::audit_entry(shop.stream, AuditAction::Reject))
        .await;
    assert!(matches!(refusal(again), Refusal::WrongStatus(_)));
    let hide = super::builders::audit_entry(shop.stream, AuditAction::Reject);
    let nothing = shop.store.decide_review(StreamId::new(), said.id, true, &hide);
    assert_eq!(refusal(nothing.await), Refusal::NoSuchMessage);
    let logged = shop.store.audit_entries(shop.stream, None, None, 9).await.unwrap();
    assert_eq!((logged.len(), &logged[0].user, logged[0].text.as_deref()), (1, &Some(user("ann")), Some("see a.com")));
    let again = AuditEntry { id: AuditEntryId::new(), kind: AuditAction::Requeue, ..entry };
    shop.store.requeue_for_review(said.id, &again).await.unwrap();
    assert_eq!(
        shop.store.review_queue(shop.stream, None).await.unwrap().len(),
        2,
        "a message that could not be broadcast is queued again"
    );
    let logged = shop.store.audit_entries(shop.stream, None, None, 9).await.unwrap();
    let kinds: Vec<AuditAction> = logged.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [AuditAction::Requeue, AuditAction::Approve]);
    assert_eq!(logged[0].user, Some(user("ann")));
}

async fn rejected_message_is_never_published(shop: Fixture) {
    let rude = message(shop.stream, "ann", "rude");
    shop.store.queue_for_review(&rude).await.unwrap();
    let hide = audit_entry(shop.stream, AuditAction::Reject);
    shop.store.decide_review(shop.stream, rude.id, false, &hide).await.unwrap();
    assert_eq!(shop.store.review_queue(shop.stream, None).await.unwrap(), []);
    assert_eq!(shop.store.messages(shop.stream, None, 9, true).await.unwrap(), []);
    let all = shop.store.messages_after(shop.stream, None, 9).await.unwrap();
    assert_eq!(all, [(rude, "rejected")], "an export contains it");
}

async fn review_queue_is_bounded(shop: Fixture) {
    let mut first = None;
    for n in 0..REVIEW_QUEUE_MAX {
        let waiting = message(shop.stream, "ann", &n.to_string());
        first.get_or_insert(waiting.id);
        shop.store.queue_for_review(&waiting).await.unwrap();
    }
    let more = || message(shop.stream, "bob", "one more");
    assert!(matches!(refusal(shop.store.queue_for_review(&more()).await), Refusal::ReviewQueueFull { .. }));
    shop.store
        .decide_review(shop.stream, first.unwrap(), false, &audit_entry(shop.stream, AuditAction::Reject))
        .await
        .unwrap();
    shop.store.queue_for_review(&more()).await.unwrap();
    assert!(matches!(refusal(shop.store.queue_for_review(&more()).await), Refusal::ReviewQueueFull { .. }));
    let elsewhere = message(StreamId::new(), "bob", "x");
    assert_eq!(refusal(shop.store.queue_for_review(&elsewhere).await), Refusal::NoSuchStream);
}

async fn mute_deletes_messages_in_review(shop: Fixture) {
    let (said, waiting, other) =
        (message(shop.stream, "ann", "one"), message(shop.stream, "ann", "two"), message(shop.stream, "bob", "three"));
    shop.store.insert_messages(&[said.clone(), other.clone()]).await.unwrap();
    shop.store.queue_for_review(&waiting).await.unwrap();
    let mute = sanction("ann", SanctionKind::Mute, Some(i64::MAX));
    shop.store.add_sanction(shop.stream, &mute, &audit_entry(shop.stream, AuditAction::Mute)).await.unwrap();
    assert_eq!(shop.store.messages(shop.stream, None, 9, false).await.unwrap(), std::slice::from_ref(&other));
    assert_eq!(shop.store.review_queue(shop.stream, None).await.unwrap(), []);
    assert_eq!(shop.store.count_messages(shop.stream).await.unwrap(), 1);
    // Broadcast by another node before the mute, written after it.
    let late = message(shop.stream, "ann", "late");
    shop.store.insert_messages(std::slice::from_ref(&late)).await.unwrap();
    let all = shop.store.messages(shop.stream, None, 9, true).await.unwrap();
    let gone: Vec<bool> = all.iter().rev().map(|message| message.deleted).collect();
    assert_eq!(gone, [true, false, true], "the team sees deleted messages");
    let after = ChatMessage { at: i64::MAX, ..message(shop.stream, "ann", "long after") };
    shop.store.insert_messages(std::slice::from_ref(&after)).await.unwrap();
    assert_eq!(shop.store.messages(shop.stream, None, 1, false).await.unwrap(), [after]);
}

async fn reply_quotes_a_message_until_it_is_deleted(shop: Fixture) {
    let question = message(shop.stream, "ann", "is it cotton?");
    let answer = ChatMessage { reply: Some(question.quote()), ..message(shop.stream, "bob", "yes") };
    shop.store.insert_messages(&[question.clone(), answer.clone()]).await.unwrap();
    assert_eq!(shop.store.messages(shop.stream, None, 9, false).await.unwrap(), [answer.clone(), question.clone()]);
    assert_eq!(shop.store.message(shop.stream, question.id).await.unwrap(), Some(question.clone()));
    shop.store.delete_message(shop.stream, question.id, &audit_entry(shop.stream, AuditAction::Delete)).await.unwrap();
    let bare = ChatMessage { reply: None, ..answer };
    assert_eq!(shop.store.messages(shop.stream, None, 9, false).await.unwrap(), [bare]);
    assert_eq!(shop.store.message(shop.stream, MessageId::new()).await.unwrap(), None);
}

async fn new_blocklist_replaces_the_old_and_raises_the_version(shop: Fixture) {
    let list = |words: &[&str]| {
        let muted = |word: &&str| BlockedWord {
            word: (*word).to_owned(),
            whole_word: word.len() > 4,
            action: BlockAction::Refuse,
        };
        Blocklist::parse(words.iter().map(muted).collect()).unwrap()
    };
    assert_eq!(shop.store.blocklist(shop.stream).await.unwrap().words(), []);
    let before = shop.store.stream(shop.stream).await.unwrap().unwrap();
    assert_eq!(before.blocklist_version, 0);
    for words in [list(&["scam", "كلب", "'; drop table"]), list(&["other"]), list(&[])] {
        shop.store.set_blocklist(shop.stream, &words, &audit_entry(shop.stream, AuditAction::Blocklist)).await.unwrap();
        assert_eq!(shop.store.blocklist(shop.stream).await.unwrap().words(), words.words());
    }
    let after = shop.store.stream(shop.stream).await.unwrap().unwrap();
    assert_eq!((after.version, after.blocklist_version), (before.version + 3, before.version + 3));
    let nowhere = shop
        .store
        .set_blocklist(StreamId::new(), &list(&["x"]), &audit_entry(shop.stream, AuditAction::Blocklist))
        .await;
    assert_eq!(refusal(nowhere), Refusal::NoSuchStream);
    assert_eq!(
        shop.store.audit_entries(shop.stream, None, None, 9).await.unwrap().len(),
        3,
        "a failed change is not logged"
    );
}

async fn only_given_chat_rules_change(shop: Fixture) {
    let set = async |form: ChatRulesForm| {
        shop.store.set_rules(shop.stream, &form, &audit_entry(shop.stream, AuditAction::Rules)).await.unwrap().chat
    };
    let rules = set(ChatRulesForm { slow_s: Some(5), links: Some(LinkRule::Review), ..ChatRulesForm::default() }).await;
    assert_eq!((rules.slow_ms, rules.links, rules.off, rules.review_all), (5_000, LinkRule::Review, false, false));
    let rules = set(ChatRulesForm { off: Some(true), review_all: Some(true), ..ChatRulesForm::default() }).await;
    assert_eq!((rules.slow_ms, rules.links, rules.off, rules.review_all), (5_000, LinkRule::Review, true, true));
    let rules = set(ChatRulesForm { slow_s: Some(0), off: Some(false), ..ChatRulesForm::default() }).await;
    assert_eq!((rules.slow_ms, rules.off, rules.review_all), (0, false, true));
    assert_eq!(shop.store.stream(shop.stream).await.unwrap().unwrap().chat, rules);
}

async fn pinned_message_is_unpinned_with_its_message_or_author(shop: Fixture) {
    let said = message(shop.stream, "ann", "free delivery?");
    let pin = async || shop.store.pin_message(&said, &audit_entry(shop.stream, AuditAction::PinMessage)).await;
    assert_eq!(refusal(pin().await), Refusal::NoSuchMessage, "not written yet");
    shop.store.insert_messages(std::slice::from_ref(&said)).await.unwrap();
    let quote = Quote { id: said.id, user: user("ann"), name: "ANN".to_owned(), text: "free delivery?".to_owned() };
    assert_eq!(pin().await.unwrap().chat.pinned, Some(quote));
    let (ann, bob) = (user("ann"), user("bob"));
    let gone = async |message, of| shop.store.unpin_removed_message(shop.stream, message, of).await.unwrap();
    assert_eq!(gone(Some(MessageId::new()), None).await, None);
    assert_eq!(gone(None, Some(&bob)).await, None);
    assert_eq!(gone(None, Some(&ann)).await.unwrap().chat.pinned, None);
    pin().await.unwrap();
    assert_eq!(gone(Some(said.id), None).await.unwrap().chat.pinned, None);
    pin().await.unwrap();
    let unpin = async || {
        shop.store.unpin_message(shop.stream, &audit_entry(shop.stream, AuditAction::UnpinMessage)).await.unwrap()
    };
    assert_eq!(unpin().await.unwrap().chat.pinned, None);
    assert_eq!(unpin().await, None, "there was none");
}

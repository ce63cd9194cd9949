//! Chat messages.

use livesouk::domain::{AuditAction, Author, ChatMessage, MessageId, Refusal, Role, StreamId};

use super::builders::{audit_entry, refusal, user};
use super::fixture::{Fixture, facts};

facts! {
    messages_are_paged_newest_first
    chat_of_a_moment_has_what_was_said_until_then
    message_inserted_twice_is_stored_once
    deleted_message_is_visible_only_to_the_team
}

pub fn message(stream: StreamId, from: &str, text: &str) -> ChatMessage {
    let from = Author { id: user(from), name: from.to_uppercase(), role: Role::Viewer };
    ChatMessage { id: MessageId::new(), stream, at: 5, from, text: text.to_owned(), reply: None, deleted: false }
}

async fn messages_are_paged_newest_first(shop: Fixture) {
    let mut said: Vec<_> =
        ["hi", "أهلاً", "🎉", "'; drop table messages; --", "\"\\"].map(|text| message(shop.stream, "ann", text)).into();
    shop.store.insert_messages(&said).await.unwrap();
    shop.store.insert_messages(&[message(StreamId::new(), "bob", "elsewhere")]).await.unwrap();
    said.reverse();
    let page = async |after, limit| shop.store.messages(shop.stream, after, limit, false).await.unwrap();
    assert_eq!(page(None, 2).await, said[..2]);
    assert_eq!(page(Some(said[1].id), 9).await, said[2..]);
    assert_eq!(shop.store.count_messages(shop.stream).await.unwrap(), 5);
    assert_eq!(shop.store.last_name_of(shop.stream, &user("ann")).await.unwrap().as_deref(), Some("ANN"));
    assert_eq!(shop.store.last_name_of(shop.stream, &user("bob")).await.unwrap(), None);
}

async fn chat_of_a_moment_has_what_was_said_until_then(shop: Fixture) {
    let said: Vec<_> = (0..6)
        .map(|n| {
            let at = 1_800_000_000_000 + n * 30_000;
            ChatMessage { id: MessageId::first_at(at), at, ..message(shop.stream, "ann", &format!("{n}")) }
        })
        .collect();
    shop.store.insert_messages(&said).await.unwrap();
    let texts = async |after, until: i64, limit| {
        let found = shop.store.messages_until(shop.stream, (after, Some(until)), limit, false).await.unwrap();
        found.into_iter().map(|message| message.text).collect::<Vec<_>>()
    };
    assert_eq!(texts(None, said[2].at, 9).await, ["2", "1", "0"]);
    assert_eq!(texts(None, said[2].at - 1, 9).await, ["1", "0"]);
    assert_eq!(texts(None, said[5].at, 2).await, ["5", "4"]);
    assert_eq!(texts(Some(said[4].id), said[5].at, 2).await, ["3", "2"]);
    for (until, count) in [(i64::MIN, 0), (-1, 0), (i64::MAX, 6)] {
        assert_eq!(texts(None, until, 9).await.len(), count, "{until}");
    }
}

async fn message_inserted_twice_is_stored_once(shop: Fixture) {
    let first = message(shop.stream, "ann", "hi");
    shop.store.insert_messages(std::slice::from_ref(&first)).await.unwrap();
    let again = [ChatMessage { text: "changed".into(), ..first.clone() }, message(shop.stream, "bob", "ho")];
    shop.store.insert_messages(&again).await.unwrap();
    let kept = shop.store.messages(shop.stream, None, 9, true).await.unwrap();
    assert_eq!(kept, [again[1].clone(), first]);
}

async fn deleted_message_is_visible_only_to_the_team(shop: Fixture) {
    let said = message(shop.stream, "ann", "rude");
    shop.store.insert_messages(std::slice::from_ref(&said)).await.unwrap();
    let delete =
        async |stream, id| shop.store.delete_message(stream, id, &audit_entry(stream, AuditAction::Delete)).await;
    assert_eq!(refusal(delete(StreamId::new(), said.id).await), Refusal::NoSuchMessage);
    assert_eq!(refusal(delete(shop.stream, MessageId::new()).await), Refusal::NoSuchMessage);
    assert_eq!(delete(shop.stream, said.id).await.unwrap(), Some(user("ann")));
    assert_eq!(delete(shop.stream, said.id).await.unwrap(), None, "it was deleted before");
    assert_eq!(shop.store.messages(shop.stream, None, 9, false).await.unwrap(), []);
    assert_eq!(shop.store.messages(shop.stream, None, 9, true).await.unwrap(), [ChatMessage { deleted: true, ..said }]);
    assert_eq!(shop.store.count_messages(shop.stream).await.unwrap(), 0);
}

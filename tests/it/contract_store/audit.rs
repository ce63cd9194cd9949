//! The audit log of a show.

use livesouk::domain::{AuditAction, AuditEntry, SanctionKind, StreamId};

use super::builders::{audit_entry, user};
use super::chat::message;
use super::fixture::{Fixture, facts};
use super::sanction::sanction;

facts! {
    audit_log_has_actor_target_and_reason
    audit_log_is_paged_from_both_ends
    user_sees_only_entries_that_affected_them
    database_refuses_to_change_or_delete_an_entry
}

async fn audit_log_has_actor_target_and_reason(shop: Fixture) {
    let said = message(shop.stream, "ann", "rude");
    shop.store.insert_messages(std::slice::from_ref(&said)).await.unwrap();
    let why = Some("be kind".to_owned());
    let delete = AuditEntry { reason: why.clone(), ..audit_entry(shop.stream, AuditAction::Delete) };
    shop.store.delete_message(shop.stream, said.id, &delete).await.unwrap();
    let twice = audit_entry(shop.stream, AuditAction::Delete);
    shop.store.delete_message(shop.stream, said.id, &twice).await.unwrap();
    let ban = AuditEntry { user: Some(user("ann")), ..audit_entry(shop.stream, AuditAction::Ban) };
    shop.store.add_sanction(shop.stream, &sanction("ann", SanctionKind::Ban, None), &ban).await.unwrap();
    let lift = async |kind| {
        let unban = AuditEntry { user: Some(user("ann")), ..audit_entry(shop.stream, AuditAction::Unban) };
        shop.store.lift_sanction(shop.stream, &user("ann"), kind, &unban).await.unwrap()
    };
    assert!(!lift(SanctionKind::Mute).await && lift(SanctionKind::Ban).await);
    let log = shop.store.audit_entries(shop.stream, None, None, 9).await.unwrap();
    let kinds: Vec<AuditAction> = log.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [AuditAction::Unban, AuditAction::Ban, AuditAction::Delete], "only actions that were done");
    let expected = AuditEntry {
        user: Some(user("ann")),
        name: Some("ANN".to_owned()),
        message: Some(said.id),
        text: Some("rude".to_owned()),
        reason: why,
        ..delete
    };
    assert_eq!(log[2], expected);
    assert_eq!(shop.store.sanctions(shop.stream, 0).await.unwrap(), []);
}

async fn audit_log_is_paged_from_both_ends(shop: Fixture) {
    let mut ids = Vec::new();
    for n in 0..5 {
        let entry = AuditEntry { subject: Some(n.to_string()), ..audit_entry(shop.stream, AuditAction::Open) };
        shop.store.insert_audit_entry(&entry).await.unwrap();
        ids.push(entry.id);
    }
    shop.store.insert_audit_entry(&audit_entry(StreamId::new(), AuditAction::Open)).await.unwrap();
    let named = |entries: Vec<AuditEntry>| entries.into_iter().map(|entry| entry.id).collect::<Vec<_>>();
    let newest = async |after| named(shop.store.audit_entries(shop.stream, None, after, 2).await.unwrap());
    assert_eq!(newest(None).await, [ids[4], ids[3]]);
    assert_eq!(newest(Some(ids[1])).await, [ids[0]]);
    let oldest = async |after| named(shop.store.audit_entries_after(shop.stream, after, 2).await.unwrap());
    assert_eq!(oldest(None).await, [ids[0], ids[1]]);
    assert_eq!(oldest(Some(ids[3])).await, [ids[4]]);
}

async fn user_sees_only_entries_that_affected_them(shop: Fixture) {
    for of in ["ann", "bob", "ann"] {
        let mute = AuditEntry { user: Some(user(of)), ..audit_entry(shop.stream, AuditAction::Mute) };
        shop.store.add_sanction(shop.stream, &sanction(of, SanctionKind::Mute, Some(9)), &mute).await.unwrap();
    }
    let of = async |who: &str| shop.store.audit_entries(shop.stream, Some(&user(who)), None, 9).await.unwrap().len();
    assert_eq!((of("ann").await, of("bob").await, of("cem").await), (2, 1, 0));
    // Page by page, and only entries that affected the user: an action that only names them is not in any page.
    for kind in AuditAction::ALL {
        shop.store
            .insert_audit_entry(&AuditEntry { user: Some(user("dan")), ..audit_entry(shop.stream, *kind) })
            .await
            .unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = shop.store.audit_entries(shop.stream, Some(&user("dan")), after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|entry| entry.kind));
    }
    seen.reverse();
    assert_eq!(seen, AuditAction::ALL.iter().copied().filter(|kind| kind.affects_user()).collect::<Vec<_>>());
}

async fn database_refuses_to_change_or_delete_an_entry(shop: Fixture) {
    let reason = Some("spam".to_owned());
    let ban = AuditEntry { user: Some(user("ann")), reason, ..audit_entry(shop.stream, AuditAction::Ban) };
    shop.store.insert_audit_entry(&ban).await.unwrap();
    for refused in [
        "delete from audit_log",
        "update audit_log set kind = 'unban'",
        "update audit_log set by_name = 'Eve'",
        "update audit_log set by_user = 'eve', by_name = ''",
        "update audit_log set user_id = null",
        "update audit_log set reason = 'other'",
        "update audit_log set at = at + 1",
        "truncate audit_log",
    ] {
        assert!(shop.try_run(refused).await.is_err(), "{refused}");
    }
    // The erasure of somebody's data takes out their name and what was written about them.
    shop.run("update audit_log set by_name = '', user_name = null, reason = null, detail = null").await;
    let log = shop.store.audit_entries(shop.stream, None, None, 9).await.unwrap();
    assert_eq!((log.len(), log[0].by.name.as_str(), &log[0].user), (1, "", &ban.user));
}

//! Mutes and bans: how long they last, who may change them, and what is known of a user's rank.

use livesouk::domain::{
    AuditAction, AuditEntry, Author, ChatMessage, Helper, Invite, InviteId, Refusal, Role, Sanction, SanctionKind,
    StreamId,
};

use super::builders::{audit_entry, person, refusal, user};
use super::chat::message;
use super::fixture::{Fixture, facts};

facts! {
    mute_expires_and_ban_lasts_until_lifted
    second_mute_replaces_the_first
    sanction_from_above_is_neither_replaced_nor_lifted
    sanction_raises_the_version_of_the_show
    rank_of_a_user_is_known_from_the_invite_and_the_newest_message
    highest_ban_of_a_user_is_found_over_all_shows
}

pub fn sanction(of: &str, kind: SanctionKind, until: Option<i64>) -> Sanction {
    sanction_by(Role::Moderator, of, kind, until)
}

fn sanction_by(by_role: Role, of: &str, kind: SanctionKind, until: Option<i64>) -> Sanction {
    let (name, by, reason) = (of.to_owned(), "mod".to_owned(), Some("spam".to_owned()));
    Sanction { user: user(of), person: person(of), name, kind, until, by, by_role, reason }
}

async fn mute_expires_and_ban_lasts_until_lifted(shop: Fixture) {
    use SanctionKind::*;
    let (mute, ban) = (sanction("ann", Mute, Some(100)), sanction("bob", Ban, None));
    for sanction in [&mute, &ban] {
        shop.store.add_sanction(shop.stream, sanction, &audit_entry(shop.stream, AuditAction::Mute)).await.unwrap();
    }
    let at = async |now| {
        let mut held = shop.store.sanctions(shop.stream, now).await.unwrap();
        held.sort_by_key(|sanction| sanction.user.clone());
        held
    };
    assert_eq!(at(99).await, [mute.clone(), ban.clone()]);
    assert_eq!(at(100).await, std::slice::from_ref(&ban));
    assert_eq!(shop.store.sanctions(StreamId::new(), 0).await.unwrap(), []);
    let lift = async |kind| {
        shop.store.lift_sanction(shop.stream, &user("bob"), kind, &audit_entry(shop.stream, AuditAction::Unban)).await
    };
    assert!(!lift(Mute).await.unwrap(), "a ban is not a mute");
    assert!(lift(Ban).await.unwrap());
    assert!(!lift(Ban).await.unwrap());
    assert_eq!(at(100).await, []);
}

async fn second_mute_replaces_the_first(shop: Fixture) {
    for until in [100, 50] {
        let mute = sanction("ann", SanctionKind::Mute, Some(until));
        shop.store.add_sanction(shop.stream, &mute, &audit_entry(shop.stream, AuditAction::Mute)).await.unwrap();
    }
    let ban = sanction("ann", SanctionKind::Ban, None);
    shop.store.add_sanction(shop.stream, &ban, &audit_entry(shop.stream, AuditAction::Ban)).await.unwrap();
    let held = shop.store.sanctions(shop.stream, 0).await.unwrap();
    let mut untils: Vec<_> = held.iter().map(|sanction| sanction.until).collect();
    untils.sort_unstable();
    assert_eq!(untils, [None, Some(50)], "a ban exists beside it");
}

fn entry_by(stream: StreamId, role: Role) -> AuditEntry {
    let entry = audit_entry(stream, AuditAction::Unban);
    AuditEntry { by: Author { role, ..entry.by.clone() }, ..entry }
}

/// Imposes a sanction, with an audit entry of its own.
async fn add(shop: &Fixture, stream: StreamId, sanction: &Sanction) -> livesouk::store::Result<()> {
    shop.store.add_sanction(stream, sanction, &audit_entry(stream, AuditAction::Ban)).await
}

async fn sanction_from_above_is_neither_replaced_nor_lifted(shop: Fixture) {
    let (stream, now) = (shop.stream, shop.store.now().await.unwrap());
    for (kind, until) in [(SanctionKind::Mute, Some(now + 60_000)), (SanctionKind::Ban, None)] {
        let by = |role| sanction_by(role, "ann", kind, until);
        add(&shop, stream, &by(Role::Host)).await.unwrap();
        for below in [Role::Moderator, Role::Producer] {
            assert_eq!(refusal(add(&shop, stream, &by(below)).await), Refusal::Outranked);
            let lifted = shop.store.lift_sanction(stream, &user("ann"), kind, &entry_by(stream, below)).await;
            assert_eq!(refusal(lifted), Refusal::Outranked, "{below:?} lifts the {kind:?} of a host");
        }
        assert!(shop.store.sanctions(stream, now).await.unwrap().contains(&by(Role::Host)));
        add(&shop, stream, &by(Role::Host)).await.unwrap();
        assert!(shop.store.lift_sanction(stream, &user("ann"), kind, &entry_by(stream, Role::Admin)).await.unwrap());
    }
    // A mute that has ended protects nothing.
    let old = sanction_by(Role::Host, "bob", SanctionKind::Mute, Some(now - 1));
    add(&shop, stream, &old).await.unwrap();
    let new = sanction_by(Role::Moderator, "bob", SanctionKind::Mute, Some(now + 60_000));
    add(&shop, stream, &new).await.unwrap();
}

async fn sanction_raises_the_version_of_the_show(shop: Fixture) {
    let version = async || shop.store.stream(shop.stream).await.unwrap().unwrap().version;
    let before = version().await;
    let ban = sanction("ann", SanctionKind::Ban, None);
    add(&shop, shop.stream, &ban).await.unwrap();
    assert_eq!(version().await, before + 1, "other nodes see the ban");
    shop.store
        .lift_sanction(shop.stream, &user("ann"), SanctionKind::Ban, &entry_by(shop.stream, Role::Host))
        .await
        .unwrap();
    assert_eq!(version().await, before + 2);
}

async fn rank_of_a_user_is_known_from_the_invite_and_the_newest_message(shop: Fixture) {
    let roles = async |who: &str| shop.store.known_roles_of(shop.stream, &user(who)).await.unwrap();
    assert_eq!(roles("ann").await, []);
    for role in [Role::Producer, Role::Moderator] {
        let said = message(shop.stream, "ann", "hi");
        let from = Author { role, ..said.from.clone() };
        shop.store.insert_messages(&[ChatMessage { from, ..said }]).await.unwrap();
    }
    assert_eq!(roles("ann").await, [Role::Moderator]);
    let invite = Invite {
        id: InviteId::new(),
        stream: shop.stream,
        role: Role::Producer,
        by: "Noura".into(),
        created_at: 1_000,
        expires_at: 90_000,
        revoked_at: None,
        uses_max: 1,
        helpers: Vec::new(),
    };
    shop.store.create_invite(&invite, &Invite::hash("code")).await.unwrap();
    let helper = Helper { user: user("helper-pia"), name: "Pia".into(), joined_at: 2_000 };
    shop.store.accept_invite(&Invite::hash("code"), &helper).await.unwrap();
    assert_eq!(roles("helper-pia").await, [Role::Producer]);
    assert_eq!(shop.store.known_roles_of(StreamId::new(), &user("helper-pia")).await.unwrap(), []);
}

async fn highest_ban_of_a_user_is_found_over_all_shows(shop: Fixture) {
    let highest = async || shop.store.highest_ban_of(&person("ann")).await.unwrap();
    assert_eq!(highest().await, None);
    let mute = sanction_by(Role::Admin, "ann", SanctionKind::Mute, Some(i64::MAX));
    add(&shop, shop.stream, &mute).await.unwrap();
    assert_eq!(highest().await, None, "a mute is no ban");
    for (stream, role, expected) in [
        (StreamId::new(), Role::Host, Role::Host),
        (StreamId::new(), Role::Moderator, Role::Host),
        (shop.stream, Role::Admin, Role::Admin),
    ] {
        let ban = sanction_by(role, "ann", SanctionKind::Ban, None);
        add(&shop, stream, &ban).await.unwrap();
        assert_eq!(highest().await, Some(expected));
    }
}

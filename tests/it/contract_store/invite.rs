//! Invites into the team: who may accept them, and how they end.

use livesouk::domain::token::LEEWAY_MS;
use livesouk::domain::{AuditAction, Helper, Invite, InviteId, Refusal, Role, SanctionKind, StreamId};

use super::builders::{audit_entry, refusal, user};
use super::fixture::{Fixture, facts};
use super::sanction::sanction;

facts! {
    invite_is_accepted_until_it_expires
    revoked_invite_admits_no_one_and_lists_its_helpers
    invite_is_used_as_often_as_it_says
    invite_of_a_banned_helper_admits_no_one
    show_has_at_most_fifty_active_invites
}

const DAY: i64 = 86_400_000;

fn invite(stream: StreamId, role: Role) -> Invite {
    Invite {
        id: InviteId::new(),
        stream,
        role,
        by: "Noura".into(),
        created_at: 1_000,
        expires_at: 1_000 + DAY,
        revoked_at: None,
        uses_max: 1,
        helpers: Vec::new(),
    }
}

fn helper(name: &str, joined_at: i64) -> Helper {
    Helper { user: user(&format!("helper-{name}")), name: name.to_owned(), joined_at }
}

async fn invite_is_accepted_until_it_expires(shop: Fixture) {
    let made = invite(shop.stream, Role::Moderator);
    shop.store.create_invite(&made, &Invite::hash("right")).await.unwrap();
    let (mo, late) = (helper("mo", 2_000), helper("late", 1_000 + DAY));
    let wrong = shop.store.accept_invite(&Invite::hash("wrong"), &mo).await;
    assert_eq!(refusal(wrong), Refusal::NoSuchInvite);
    assert_eq!(refusal(shop.store.accept_invite(&Invite::hash("right"), &late).await), Refusal::NoSuchInvite);
    let came = shop.store.accept_invite(&Invite::hash("right"), &mo).await.unwrap();
    assert_eq!(came, Invite { helpers: vec![mo], ..made });
    assert_eq!(shop.store.invites(shop.stream).await.unwrap(), [came]);
    assert_eq!(shop.store.invites(StreamId::new()).await.unwrap(), []);
    assert_eq!(shop.store.revoked_helpers(shop.stream, 0).await.unwrap(), []);
}

async fn revoked_invite_admits_no_one_and_lists_its_helpers(shop: Fixture) {
    let (one, two) = (invite(shop.stream, Role::Producer), invite(shop.stream, Role::Analyst));
    shop.store.create_invite(&one, &Invite::hash("one")).await.unwrap();
    shop.store.create_invite(&two, &Invite::hash("two")).await.unwrap();
    shop.store.accept_invite(&Invite::hash("one"), &helper("pia", 2_000)).await.unwrap();
    shop.store.accept_invite(&Invite::hash("two"), &helper("nan", 2_000)).await.unwrap();
    let version = shop.store.stream(shop.stream).await.unwrap().unwrap().version;
    let revoke = async |stream| shop.store.revoke_invite(stream, one.id, 3_000).await;
    assert_eq!(refusal(revoke(StreamId::new()).await), Refusal::NoSuchInvite, "it belongs to another show");
    let changed = revoke(shop.stream).await.unwrap().unwrap();
    assert_eq!(changed.version, version + 1, "other nodes see the change");
    assert_eq!(revoke(shop.stream).await.unwrap(), None, "it was revoked before");
    let late = shop.store.accept_invite(&Invite::hash("one"), &helper("late", 3_000)).await;
    assert_eq!(refusal(late), Refusal::NoSuchInvite);
    assert_eq!(shop.store.revoked_helpers(shop.stream, 3_000).await.unwrap(), [user("helper-pia")]);
    assert_eq!(
        shop.store.revoked_helpers(shop.stream, 1_000 + DAY + LEEWAY_MS).await.unwrap(),
        [],
        "no token is valid any more"
    );
    let listed = shop.store.invites(shop.stream).await.unwrap();
    let untils: Vec<_> = listed.iter().map(|invite| (invite.id, invite.revoked_at)).collect();
    assert_eq!(untils, [(two.id, None), (one.id, Some(3_000))], "newest first");
}

async fn invite_is_used_as_often_as_it_says(shop: Fixture) {
    for uses_max in [1, 3, Invite::USES_MAX] {
        let hash = Invite::hash(&format!("open {uses_max}"));
        let made = Invite { uses_max, ..invite(shop.stream, Role::Analyst) };
        shop.store.create_invite(&made, &hash).await.unwrap();
        for n in 0..uses_max {
            shop.store.accept_invite(&hash, &helper(&format!("{uses_max}-{n}"), 2_000)).await.unwrap();
        }
        let more = shop.store.accept_invite(&hash, &helper("more", 2_000)).await;
        assert_eq!(refusal(more), Refusal::NoSuchInvite, "{uses_max} uses");
    }
}

async fn invite_of_a_banned_helper_admits_no_one(shop: Fixture) {
    let made = Invite { uses_max: 5, ..invite(shop.stream, Role::Moderator) };
    let hash = Invite::hash("five");
    shop.store.create_invite(&made, &hash).await.unwrap();
    shop.store.accept_invite(&hash, &helper("mo", 2_000)).await.unwrap();
    let entry = || audit_entry(shop.stream, AuditAction::Ban);
    let ban = sanction("helper-mo", SanctionKind::Ban, None);
    shop.store.add_sanction(StreamId::new(), &ban, &entry()).await.unwrap();
    shop.store.accept_invite(&hash, &helper("two", 2_000)).await.unwrap();
    shop.store.add_sanction(shop.stream, &ban, &entry()).await.unwrap();
    let again = shop.store.accept_invite(&hash, &helper("mo-again", 2_000)).await;
    assert_eq!(refusal(again), Refusal::NoSuchInvite);
    shop.store.lift_sanction(shop.stream, &user("helper-mo"), SanctionKind::Ban, &entry()).await.unwrap();
    shop.store.accept_invite(&hash, &helper("three", 2_000)).await.unwrap();
}

async fn show_has_at_most_fifty_active_invites(shop: Fixture) {
    for n in 0..Invite::ACTIVE_MAX {
        let made = invite(shop.stream, Role::Analyst);
        shop.store.create_invite(&made, &Invite::hash(&n.to_string())).await.unwrap();
    }
    let last = invite(shop.stream, Role::Analyst);
    assert_eq!(refusal(shop.store.create_invite(&last, &Invite::hash("last")).await).code(), "wrong_status");
    let open = shop.store.invites(shop.stream).await.unwrap();
    shop.store.revoke_invite(shop.stream, open[0].id, 2_000).await.unwrap();
    shop.store.create_invite(&last, &Invite::hash("last")).await.unwrap();
}

//! Invites into the team: who may accept them, and how they end.

use livesouk::domain::{Helper, Invite, InviteId, Refusal, Role, StreamId};

use super::builders::{refusal, user};
use super::fixture::{Fixture, facts};

facts! {
    invite_is_accepted_until_it_expires
    revoked_invite_admits_no_one_and_lists_its_helpers
    invite_is_used_at_most_twenty_times
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
    assert_eq!(shop.store.revoked_helpers(shop.stream, 1_000 + DAY).await.unwrap(), [], "their tokens have expired");
    let listed = shop.store.invites(shop.stream).await.unwrap();
    let untils: Vec<_> = listed.iter().map(|invite| (invite.id, invite.revoked_at)).collect();
    assert_eq!(untils, [(two.id, None), (one.id, Some(3_000))], "newest first");
}

async fn invite_is_used_at_most_twenty_times(shop: Fixture) {
    shop.store.create_invite(&invite(shop.stream, Role::Analyst), &Invite::hash("open")).await.unwrap();
    for n in 0..Invite::HELPERS_MAX {
        shop.store.accept_invite(&Invite::hash("open"), &helper(&n.to_string(), 2_000)).await.unwrap();
    }
    let more = shop.store.accept_invite(&Invite::hash("open"), &helper("more", 2_000)).await;
    assert_eq!(refusal(more).code(), "wrong_status");
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

//! The staff, set-up links and settings on both databases.

use livesouk::domain::setup::NewOwner;
use livesouk::domain::shop_settings::{ShopForm, ShopProfile};
use livesouk::domain::staff::{LinkHash, STAFF_INVITES_MAX, StaffInvite, StaffRole, link_hash};
use livesouk::domain::{
    Account, AccountId, Actor, AuditAction, AuditEntry, Author, EmailAddress, Language, Name, Refusal, Role,
    SessionSecret, SignInSession, StaffInviteId,
};
use livesouk::store::NewSession;

use super::builders::refusal;
use super::fixture::{Fixture, facts};

facts! {
    invite_is_used_by_one_of_many_at_once
    open_invites_are_limited
    two_owners_who_remove_each_other_at_once_leave_one
    setup_link_makes_one_owner_also_when_many_open_it_at_once
    nodes_that_start_at_once_have_one_signing_key
    settings_have_a_version_that_grows
    settings_that_are_saved_at_once_all_stay
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn new_session(number: u8) -> NewSession {
    NewSession { secret: SessionSecret::new([number; 32]).hash(), user_agent: "a browser".into(), is_strong: false }
}

fn entry(kind: AuditAction) -> AuditEntry {
    let by = Author { id: AccountId::new().user(), name: "Olla".into(), role: Role::Owner };
    AuditEntry::new(AuditEntry::WHOLE_SHOP, by, kind, 1_000)
}

const IN_SHOP: fn(Role) -> StaffRole = |role| StaffRole { role, stream: None };

async fn account(shop: &Fixture, name: &str) -> Account {
    let address = email(&format!("{name}@example.com"));
    shop.store.find_or_create_account(&address, Some(&Name::parse(name).unwrap()), Language::English).await.unwrap()
}

async fn actor(shop: &Fixture, account: &Account, number: u8) -> Actor {
    let session: SignInSession = shop.store.create_account_session(account, &new_session(number)).await.unwrap();
    session.actor()
}

async fn invite(shop: &Fixture, to: &str, role: Role) -> livesouk::store::Result<LinkHash> {
    let now = shop.store.now().await.unwrap();
    let invite = StaffInvite {
        id: StaffInviteId::new(),
        email: email(to),
        place: IN_SHOP(role),
        by: "Olla".into(),
        created_at: now,
        expires_at: now + 60_000,
    };
    let code = link_hash(&invite.id.to_string());
    shop.store.create_staff_invite(&invite, &code, None, None, &entry(AuditAction::InviteStaff)).await?;
    Ok(code)
}

async fn invite_is_used_by_one_of_many_at_once(shop: Fixture) {
    let code = invite(&shop, "ann@example.com", Role::Host).await.unwrap();
    let ann = account(&shop, "ann").await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (store, id) = (shop.store.clone(), ann.id);
        let entry = entry(AuditAction::AcceptStaffInvite);
        tries.spawn(async move { store.accept_staff_invite(&code, id, &email("ann@example.com"), &entry).await });
    }
    let accepted = tries.join_all().await.into_iter().filter(|result| result.is_ok()).count();
    assert_eq!(accepted, 1);
    assert_eq!(shop.store.staff_roles(ann.id).await.unwrap(), [IN_SHOP(Role::Host)]);
    // A lower role by a later invite takes nothing away.
    let code = invite(&shop, "ann@example.com", Role::Moderator).await.unwrap();
    let entry = entry(AuditAction::AcceptStaffInvite);
    shop.store.accept_staff_invite(&code, ann.id, &email("ann@example.com"), &entry).await.unwrap();
    assert_eq!(shop.store.staff_roles(ann.id).await.unwrap(), [IN_SHOP(Role::Host)]);
}

async fn open_invites_are_limited(shop: Fixture) {
    for number in 0..STAFF_INVITES_MAX {
        invite(&shop, &format!("a{number}@example.com"), Role::Host).await.unwrap();
    }
    assert_eq!(refusal(invite(&shop, "more@example.com", Role::Host).await).code(), "wrong_status");
    // A new invite to an address replaces the earlier one, so it needs no room.
    invite(&shop, "a0@example.com", Role::Host).await.unwrap();
    assert_eq!(shop.store.staff_invites().await.unwrap().len() as i64, STAFF_INVITES_MAX);
}

async fn two_owners_who_remove_each_other_at_once_leave_one(shop: Fixture) {
    let owners = [account(&shop, "ann").await, account(&shop, "bob").await];
    for owner in &owners {
        let code = invite(&shop, owner.email.as_ref().unwrap().as_str(), Role::Owner).await.unwrap();
        let entry = entry(AuditAction::AcceptStaffInvite);
        shop.store.accept_staff_invite(&code, owner.id, owner.email.as_ref().unwrap(), &entry).await.unwrap();
    }
    let actors = [actor(&shop, &owners[0], 1).await, actor(&shop, &owners[1], 2).await];
    let remove = async |by: usize| {
        let entry = entry(AuditAction::RemoveStaff);
        shop.store.set_staff_role(&actors[by], Role::Owner, owners[1 - by].id, (None, None), &entry).await
    };
    let (first, second) = tokio::join!(remove(0), remove(1));
    let refused: Vec<Refusal> = [first, second].into_iter().filter(Result::is_err).map(refusal).collect();
    assert_eq!(refused, [Refusal::LastOwner]);
    assert_eq!(shop.number("select count(*) from staff where role = 'owner'").await, 1);
    assert_eq!(shop.number("select count(*) from sign_in_sessions").await, 1, "the other one is signed out");
}

async fn setup_link_makes_one_owner_also_when_many_open_it_at_once(shop: Fixture) {
    let (old, code) = (link_hash("old"), link_hash("new"));
    shop.store.replace_setup_link(&old).await.unwrap();
    shop.store.replace_setup_link(&code).await.unwrap();
    assert_eq!(
        (shop.store.is_setup_link(&old).await.unwrap(), shop.store.is_setup_link(&code).await.unwrap()),
        (false, true)
    );
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = shop.store.clone();
        let owner = NewOwner { name: Name::parse("Olla").unwrap(), email: None, language: Language::Arabic };
        tries.spawn(async move { store.use_setup_link(&code, Some(&owner), None, &new_session(number)).await });
    }
    let used: Vec<SignInSession> = tries.join_all().await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(used.len(), 1);
    assert_eq!((used[0].roles.as_slice(), used[0].email.as_ref()), (&[IN_SHOP(Role::Owner)][..], None));
    assert_eq!(shop.number("select count(*) from staff").await, 1);
    assert_eq!(shop.number("select count(*) from accounts").await, 1);
    // The next link signs in as that owner.
    shop.store.replace_setup_link(&code).await.unwrap();
    let again = shop.store.use_setup_link(&code, None, None, &new_session(99)).await.unwrap();
    assert_eq!(again.user, used[0].user);
}

async fn nodes_that_start_at_once_have_one_signing_key(shop: Fixture) {
    assert_eq!(shop.store.signing_key(None).await.unwrap(), None);
    let (one, two) = tokio::join!(shop.store.signing_key(Some("one")), shop.store.signing_key(Some("two")));
    let key = one.unwrap().unwrap();
    assert_eq!(two.unwrap(), Some(key.clone()));
    assert_eq!(shop.store.signing_key(Some("three")).await.unwrap(), Some(key.clone()));
    // Of two nodes that encrypt it at the same moment, one stores its form.
    assert!(shop.store.replace_signing_key(&key, "sealed").await.unwrap());
    assert!(!shop.store.replace_signing_key(&key, "sealed too").await.unwrap());
    assert_eq!(shop.store.signing_key(None).await.unwrap().as_deref(), Some("sealed"));
}

async fn settings_have_a_version_that_grows(shop: Fixture) {
    let before = shop.store.shop_settings_version().await.unwrap();
    let change = entry(AuditAction::ChangeSettings);
    let form = ShopForm { country: Some("KW".into()), ..ShopForm::default() };
    shop.store.update_shop(&form, &change).await.unwrap();
    let profile = ShopProfile { country: Some("KW".into()), ..ShopProfile::default() };
    let settings = shop.store.shop_settings().await.unwrap();
    assert_eq!((settings.profile, settings.is_setup_open), (profile.clone(), false));
    assert!(before < settings.version);
    let other = ShopForm { currency: Some("JPY".into()), ..ShopForm::default() };
    let refused = shop.store.update_shop(&other, &change).await;
    assert_eq!(refusal(refused).code(), "invalid_value", "the shop has products");
    assert_eq!(shop.store.shop_settings_version().await.unwrap(), settings.version, "nothing was changed");
}

/// Members of the team who save different forms at the same time, on any node, do not undo each other's changes.
async fn settings_that_are_saved_at_once_all_stay(shop: Fixture) {
    let policy = |text: &str| [("en".to_owned(), text.to_owned())].into();
    let forms = [
        ShopForm { country: Some("KW".into()), ..ShopForm::default() },
        ShopForm { time_zone: Some("Asia/Kuwait".into()), ..ShopForm::default() },
        ShopForm { tax_bp: Some(500), ..ShopForm::default() },
        ShopForm { delivery_fee: Some(700), ..ShopForm::default() },
        ShopForm { legal_name: Some("Noura LLC".into()), ..ShopForm::default() },
        ShopForm { vat_number: Some("300000".into()), ..ShopForm::default() },
        ShopForm { title: Some("Lamps of Noura".into()), ..ShopForm::default() },
        ShopForm { titles: Some(policy("Lamps")), ..ShopForm::default() },
    ];
    let mut saved = tokio::task::JoinSet::new();
    for form in forms {
        let store = shop.store.clone();
        saved.spawn(async move { store.update_shop(&form, &entry(AuditAction::ChangeSettings)).await });
    }
    for result in saved.join_all().await {
        result.unwrap();
    }
    let stored = shop.store.shop().await.unwrap().unwrap();
    assert_eq!((stored.title.as_str(), stored.titles), ("Lamps of Noura", policy("Lamps")));
    let expected = ShopProfile {
        country: Some("KW".into()),
        time_zone: Some("Asia/Kuwait".into()),
        tax_bp: 500,
        delivery_fee: 700,
        legal_name: Some("Noura LLC".into()),
        vat_number: Some("300000".into()),
        ..ShopProfile::default()
    };
    assert_eq!(shop.store.shop_settings().await.unwrap().profile, expected);
}

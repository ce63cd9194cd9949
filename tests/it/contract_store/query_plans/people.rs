//! The calls for e-mails, staff, the set-up and the settings.

use livesouk::domain::customer::CustomerNote;
use livesouk::domain::mail_settings::{MailProtection, MailSettings};
use livesouk::domain::oidc::OidcIdentity;
use livesouk::domain::passkey::{Passkey, PasskeyPurpose};
use livesouk::domain::setup::NewOwner;
use livesouk::domain::shop_settings::{ShopForm, ShopProfile};
use livesouk::domain::staff::{STAFF_INVITE_TTL_MS, StaffInvite, StaffRole, link_hash};
use livesouk::domain::stripe_keys::StoredStripeKeys;
use livesouk::domain::{
    Actor, ApiKey, ApiKeyId, ApiScope, AuditAction, AuditEntry, Consignment, EmailAddress, FollowId, FollowTarget,
    Language, MailContent, MailKind, MailStatus, MailStep, Name, NewFollow, NewMail, PasskeyId, PersonKey, Role,
    Sanction, SanctionKind, SavedView, SessionSecret, SignInSession, StaffInviteId, StreamId, StripeKeys,
};
use livesouk::store::{NewSession, OidcSignIn, StoredSecret};
use uuid::Uuid;

use super::every_query::{Calls, call};
use super::large_tables::{OLD_USER, old_order, old_stream};
use crate::contract_store::account::secret;
use crate::contract_store::builders::{actor, audit_entry, stream, user};

fn new_mail(content: MailContent) -> NewMail {
    let to = EmailAddress::parse("ann@example.com").unwrap();
    NewMail { to, language: Language::Arabic, user: Some(user(OLD_USER)), content }
}

pub(super) async fn mails(c: &Calls) {
    let code = MailContent::SignInCode { code: "012345".to_owned(), expires_at: i64::MAX };
    call!(c, check_mail_queue_not_full(MailKind::SignInCode));
    let queued = call!(c, queue_mail(&new_mail(code))).unwrap();
    call!(c, mail_queue());
    call!(c, mails(None, None, 50));
    call!(c, mails(Some(MailStatus::Failed), None, 50));
    call!(c, mails(Some(MailStatus::Queued), None, 50));
    call!(c, mail(queued));
    call!(c, mails_of_order(old_order()));
    let claimed = call!(c, claim_mail()).flatten().expect("a mail is due");
    call!(c, finish_mail(&claimed, &MailStep::Fail { error: "no such user".to_owned() }));
    call!(c, send_mail_again(queued));
    call!(c, expire_mails());
    call!(c, delete_mails_before(1_000, 2_000));
    let paid = c.shop.paid_one(c.shop.offer(5, 5).await, "parcel").await;
    let consignment = Consignment { carrier: Some("SMSA".to_owned()), tracking: None };
    call!(c, send_parcel(&[paid], &consignment, &user("mod")));
    follows(c).await;
}

/// What followers ask for, and their notifications.
async fn follows(c: &Calls) {
    let ann = EmailAddress::parse("user7@example.com").unwrap();
    let new =
        |target| NewFollow { target, email: ann.clone(), language: Language::English, user: Some(user(OLD_USER)) };
    let secret = |n: u8| SessionSecret::new([n; 32]);
    call!(c, request_follow(&new(FollowTarget::Shop), &secret(1)));
    call!(c, confirm_follow(&secret(1).hash(), &secret(2))).expect("it is confirmed");
    let own = call!(c, add_follow(&new(FollowTarget::Product(c.shop.product)), &secret(3))).expect("it is added");
    call!(c, follows_of(&ann));
    call!(c, follow_of_mail(own.id));
    call!(c, followed_product(c.shop.product));
    call!(c, knows_stop_secret(secret(2).as_str()));
    let show = StreamId::new();
    c.shop.store.create_stream(c.shop.shop.id, &stream(show)).await.unwrap();
    call!(c, start_stream(show, 1));
    call!(c, notify_followers());
    call!(c, announcement_queue());
    call!(c, stop_follows(secret(2).as_str(), false));
    call!(c, stop_follows(secret(3).as_str(), true));
    call!(c, delete_follow(FollowId::new(), &ann));
    call!(c, delete_old_follow_requests(500));
    call!(c, delete_old_announcements(1_000, 500));
}

pub(super) async fn staff(c: &Calls) {
    let whole_shop = |kind| AuditEntry { stream: AuditEntry::WHOLE_SHOP, ..audit_entry(c.shop.stream, kind) };
    let bob = EmailAddress::parse("bob@example.com").unwrap();
    let account =
        c.shop.store.find_or_create_account(&bob, Some(&Name::parse("Bob").unwrap()), Language::English).await.unwrap();
    let now = c.shop.store.now().await.unwrap();
    let invite = StaffInvite {
        id: StaffInviteId::new(),
        email: bob.clone(),
        place: StaffRole { role: Role::Host, stream: Some(old_stream()) },
        by: "Olla".into(),
        created_at: now,
        expires_at: now + STAFF_INVITE_TTL_MS,
    };
    let code = link_hash("code");
    call!(c, create_staff_invite(&invite, &code, None, None, &whole_shop(AuditAction::InviteStaff)));
    call!(c, staff_invites());
    call!(c, staff_invite_by_code(&code));
    call!(c, accept_staff_invite(&code, account.id, &bob, &whole_shop(AuditAction::AcceptStaffInvite)));
    call!(c, revoke_staff_invite(invite.id, &whole_shop(AuditAction::WithdrawStaffInvite)));
    call!(c, staff());
    call!(c, staff_roles(account.id));
    call!(c, first_owner());
    let by = Actor { role: Role::Owner, ..actor("olla") };
    let place = (Some(old_stream()), None);
    call!(c, set_staff_role(&by, Role::Owner, account.id, place, &whole_shop(AuditAction::RemoveStaff)));
    let view = SavedView::validated("To pack", "fulfilment=unfulfilled").unwrap();
    call!(c, save_view(&user(OLD_USER), &view));
    call!(c, saved_views(&user(OLD_USER)));
    call!(c, remove_view(&user(OLD_USER), "To pack"));
    api_keys(c).await;
    customers(c).await;
}

/// What the desk asks about the customers, and what a user takes away.
async fn customers(c: &Calls) {
    let entry = |kind| AuditEntry { stream: AuditEntry::WHOLE_SHOP, ..audit_entry(c.shop.stream, kind) };
    let old = user(OLD_USER);
    call!(c, customers("", None, 50));
    call!(c, customers("user 7", Some(old_order()), 50));
    call!(c, customers("bob@example.com", None, 50));
    call!(c, customer_detail(&old));
    let note = CustomerNote { id: Uuid::now_v7(), at: 1, by: "mod".into(), by_name: "Mo".into(), text: "x".into() };
    call!(c, add_customer_note(&old, &note)).expect("it is added");
    call!(c, roles_anywhere(&old));
    let sanction = Sanction {
        user: old.clone(),
        person: PersonKey::of_user(&old),
        name: "Old".into(),
        kind: SanctionKind::Ban,
        until: None,
        by: "olla".into(),
        by_role: Role::Moderator,
        reason: None,
    };
    call!(c, add_shop_block(&sanction, &entry(AuditAction::BlockCustomer))).expect("it is blocked");
    call!(c, shop_blocks());
    call!(c, lift_shop_block(&sanction.person, &entry(AuditAction::UnblockCustomer))).expect("it is lifted");
    call!(c, stock_alerts_of_user(&old, None, 50));
    call!(c, sanctions_of_user(&old, Some((old_stream(), SanctionKind::Ban)), 50));
    call!(c, mails_of_user(&old, None, 50));
    call!(c, refunds_and_withdrawals_of(&[old_order()]));
}

async fn api_keys(c: &Calls) {
    let entry = |kind| AuditEntry { stream: AuditEntry::WHOLE_SHOP, ..audit_entry(c.shop.stream, kind) };
    // The staff is full; somebody of them makes the key.
    let members = c.shop.store.staff().await.unwrap();
    let maker = members.first().expect("somebody works here").account;
    c.shop.run(&format!("update staff set role = 'admin', stream = null where account = '{maker}'")).await;
    let key = ApiKey {
        id: ApiKeyId::new(),
        name: Name::parse("Warehouse").unwrap(),
        hint: "lsk_live_…abcd".to_owned(),
        scopes: ApiScope::defaults(),
        made_by: maker,
        by_name: "Eve".to_owned(),
        created_at: 1,
        last_used_at: None,
        expires_at: None,
        ended_at: None,
    };
    let next = ApiKey { id: ApiKeyId::new(), ..key.clone() };
    call!(c, create_api_key(&key, &secret(31), &entry(AuditAction::CreateApiKey))).expect("it is made");
    let rotated = (&next, &secret(32));
    call!(c, rotate_api_key(key.id, rotated, i64::MAX, &entry(AuditAction::RotateApiKey))).expect("it is rotated");
    call!(c, api_key_by_secret(&secret(31)));
    call!(c, api_keys());
    call!(c, touch_api_key(key.id));
    call!(c, end_api_key(key.id, &entry(AuditAction::EndApiKey))).expect("it is ended");
}

pub(super) async fn settings(c: &Calls) {
    let whole_shop = |kind| AuditEntry { stream: AuditEntry::WHOLE_SHOP, ..audit_entry(c.shop.stream, kind) };
    let link = link_hash("set-up");
    call!(c, open_setup());
    call!(c, replace_setup_link(&link));
    call!(c, is_setup_link(&link));
    let owner = NewOwner { name: Name::parse("Olla").unwrap(), email: None, language: Language::Arabic };
    let session = NewSession { secret: secret(9), user_agent: "a browser".into(), is_strong: true };
    let profile = ShopProfile::default();
    call!(c, use_setup_link(&link, Some(&owner), Some(&(c.shop.shop.clone(), profile.clone())), &session));
    call!(c, signing_key(Some("a key of at least thirty-two bytes")));
    call!(c, replace_signing_key("a key of at least thirty-two bytes", "sealed"));
    call!(c, shop_settings());
    call!(c, shop_settings_version());
    call!(
        c,
        update_shop(
            &ShopForm { country: Some("KW".into()), ..ShopForm::default() },
            &whole_shop(AuditAction::ChangeSettings)
        )
    );
    let server = MailSettings {
        host: "smtp.example.com".to_owned(),
        port: 465,
        protection: MailProtection::Tls,
        user: Some("shop".to_owned()),
        sealed_password: Some("sealed".to_owned()),
        from: "shop@example.com".to_owned(),
    };
    call!(c, update_mail_settings(Some(&server), &whole_shop(AuditAction::ChangeSettings)));
    let typed = StripeKeys {
        key: "rk_test_1".to_owned(),
        publishable_key: "pk_test_1".to_owned(),
        webhook_secret: "whsec_1".to_owned(),
    };
    let keys = StoredStripeKeys::new(&typed, "sealed".to_owned(), None, "Olla", 1);
    call!(c, update_stripe_keys(Some(&keys), None, None, &whole_shop(AuditAction::SetStripeKeys)));
    call!(c, account_payments("stripe", 0));
    call!(c, account_payments("test", 0));
    call!(c, unanswered_payments("stripe", 0));
    let again = |_: StoredSecret, sealed: &str| Ok(format!("{sealed} again"));
    assert_eq!(call!(c, seal_secrets_again(again)), Some(Ok(true)));
}

/// The session is that of an account.
pub(super) async fn passkeys(c: &Calls, session: &SignInSession) {
    let passkey = Passkey {
        id: PasskeyId::new(),
        account: session.account.unwrap(),
        credential: b"device".to_vec(),
        public_key: vec![1],
        rp_id: "shop.example".to_owned(),
        sign_count: 1,
        name: "Phone".to_owned(),
        created_at: 1,
        last_used_at: None,
    };
    call!(c, create_passkey_challenge(&[1; 32], PasskeyPurpose::Register(passkey.account)));
    call!(c, add_passkey(&[1; 32], &passkey, session.id, true)).expect("it is added");
    call!(c, passkeys_of(passkey.account));
    call!(c, passkey_by_credential(&passkey.credential)).flatten().expect("it is there");
    call!(c, create_passkey_challenge(&[2; 32], PasskeyPurpose::Prove));
    let new = NewSession { secret: secret(8), user_agent: "a browser".into(), is_strong: true };
    call!(c, use_passkey(&[2; 32], (&passkey, 2), None, &new)).flatten().expect("a session begins");
    call!(c, roles_of_sessions(&[session.id]));
    call!(c, staff_names());
    call!(c, remove_passkey(passkey.account, passkey.id, true));
}

pub(super) async fn identities(c: &Calls) {
    call!(c, own_data(&user(OLD_USER)));
    call!(c, messages_of_user(&user(OLD_USER), None, 50));
    call!(c, create_oidc_sign_in(&[3; 32], &[4; 32]));
    call!(c, take_oidc_sign_in(&[3; 32], &[4; 32]));
    let identity = OidcIdentity {
        issuer: "https://login.example".to_owned(),
        subject: "1".to_owned(),
        email: EmailAddress::parse("carl@example.com").ok(),
        is_email_verified: true,
        names: vec!["Carl".to_owned()],
    };
    let new = OidcSignIn {
        identity,
        trusts_email: true,
        language: Language::English,
        spare_name: Name::parse("Shopper 1").unwrap(),
        guest: None,
        session: NewSession { secret: secret(18), user_agent: "a browser".into(), is_strong: false },
    };
    call!(c, sign_in_by_oidc(&new));
    let again = NewSession { secret: secret(19), ..new.session.clone() };
    call!(c, sign_in_by_oidc(&OidcSignIn { session: again, ..new }));
}

pub(super) async fn withdrawals(c: &Calls) {
    call!(c, withdraw(old_order()));
    call!(c, withdraw(old_order()));
    call!(c, withdrawn_at(old_order()));
    call!(c, country_of_order(old_order()));
}

//! The keys of Stripe in the settings, and what was begun with them: another account, a live key beside a test server, keys that are gone.

use std::sync::Arc;
use std::time::Duration;

use fake_stripe::{Call, FakeStripe, Fault, Options};
use livesouk::app::{App, Error, Settings, StripeEndpoints};
use livesouk::domain::secrets_key::SecretsKey;
use livesouk::domain::stripe_keys::StripeKeysRequest;
use livesouk::domain::{Actor, OrderId, OrderStatus, PaymentStatus, Refusal, Role, StripeKeyProblem};

use super::builders::{actor, key};
use super::fixture::{Fixture, facts, payment_settings};
use crate::support::process::Process;
use crate::support::{SOON, until_some};

facts! {
    keys_of_another_account_are_taken_only_when_nothing_is_left_of_the_one_before
    first_payment_whose_answer_was_lost_keeps_its_account
    removed_keys_of_an_unanswered_payment_are_taken_again_at_once
    other_keys_that_know_an_unanswered_payment_are_taken_at_once
    new_secret_key_beside_the_same_publishable_key_is_of_the_same_account
    change_beside_another_one_is_refused
    payment_under_way_waits_for_the_keys_of_its_account
    live_key_is_used_neither_with_a_stand_in_nor_beside_payments_for_tests
}

const SECRETS_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn settings(fake: &FakeStripe, is_stand_in: bool) -> Settings {
    Settings {
        stripe_endpoints: Some(StripeEndpoints {
            api_base: fake.base().to_owned(),
            return_url: "https://shop.example/orders?order=".to_owned(),
            script: format!("{}/element.js", fake.base()),
            is_stand_in,
        }),
        secrets_key: Some(SecretsKey::parse(SECRETS_KEY).unwrap()),
        is_test_provider_enabled: false,
        are_requests_limited: false,
        ..payment_settings(10_000)
    }
}

async fn start(shop: &Fixture, is_stand_in: bool) -> (FakeStripe, Arc<App>) {
    let fake = FakeStripe::start(Options { rate_per_endpoint: 10_000, ..Options::default() }).await.unwrap();
    let app = Arc::new(shop.app_with(shop.store.clone(), settings(&fake, is_stand_in)).await);
    (fake, app)
}

fn owner() -> Actor {
    Actor { role: Role::Owner, ..actor("olla") }
}

async fn set(app: &App, account: &str) -> Result<bool, Error> {
    set_pair(app, account, account).await
}

async fn set_pair(app: &App, key: &str, publishable_key: &str) -> Result<bool, Error> {
    let form = StripeKeysRequest {
        key: Some(format!("rk_{key}")),
        publishable_key: Some(format!("pk_{publishable_key}")),
        webhook_secret: Some("whsec_1".into()),
    };
    app.checkout.set_stripe_keys(&owner(), form).await.map(|check| check.is_other_account)
}

fn problem<T>(problem: StripeKeyProblem) -> Result<T, Error> {
    Err(Error::Refused(Refusal::StripeKeys(problem)))
}

/// Makes it an hour since the keys were removed.
async fn wait_an_hour(shop: &Fixture) {
    let stored = shop.store.shop_settings().await.unwrap().stripe.removed_at.expect("keys were removed");
    let (now, then) = (format!(r#""removed_at":{stored}"#), format!(r#""removed_at":{}"#, stored - 3_600_000));
    shop.run(&format!("update shop_settings set value = replace(value, '{now}', '{then}') where name = 'stripe'"))
        .await;
}

async fn end(app: Arc<App>) {
    app.stopping().cancel();
    app.finish().await;
}

async fn keys_of_another_account_are_taken_only_when_nothing_is_left_of_the_one_before(shop: Fixture) {
    let (fake, app) = start(&shop, true).await;
    assert_eq!(set(&app, "test_first").await, Ok(false));
    let offer = shop.offer(5, 5).await;
    let buy = async |buyer: &str| {
        app.checkout.buy(&actor(buyer), offer, 1, key(&format!("buy-{buyer}"))).await.unwrap().order.id
    };
    let pay = async |buyer: &str, order, card: &str| {
        let token = fake.confirmation_token(card).unwrap();
        app.checkout.pay(&actor(buyer), order, &token, None, key(&format!("pay-{buyer}"))).await
    };
    let first = buy("ann-1").await;
    assert_eq!(pay("ann-1", first, "4242424242424242").await.unwrap().order.status, OrderStatus::Paid);
    let open = buy("bob-1").await;
    let asked = pay("bob-1", open, "4000000000003220").await;
    assert!(matches!(asked, Err(Error::Refused(Refusal::NeedsAction { .. }))), "{asked:?}");

    assert_eq!(set(&app, "test_other").await, problem(StripeKeyProblem::AccountChanges), "the others are in use");
    let mixed = StripeKeysRequest { publishable_key: Some("pk_test_other".into()), ..StripeKeysRequest::default() };
    let mixed = app.checkout.set_stripe_keys(&owner(), mixed).await.map(drop);
    assert_eq!(mixed, problem(StripeKeyProblem::OtherAccount));
    app.checkout.remove_stripe_keys(&owner()).await.unwrap();
    assert_eq!(set(&app, "test_other").await, problem(StripeKeyProblem::AccountChanges), "a node may still use them");
    wait_an_hour(&shop).await;
    assert_eq!(set(&app, "test_other").await, problem(StripeKeyProblem::PaymentsOpen(1)));
    assert_eq!(app.checkout.stripe_keys(&owner()).await.unwrap().open_payments, 1);

    // Keys of the same account finish it.
    assert_eq!(set(&app, "test_second").await, Ok(false));
    let intent = fake.intents().last().unwrap()["id"].as_str().unwrap().to_owned();
    assert!(fake.authenticate(&intent, false));
    let payment = shop.store.payment(open, 1).await.unwrap().unwrap();
    assert_eq!(app.checkout.refresh_payment(payment).await.unwrap().status, PaymentStatus::Declined);
    app.checkout.remove_stripe_keys(&owner()).await.unwrap();
    wait_an_hour(&shop).await;
    assert_eq!(set(&app, "test_other").await, Ok(true), "it does not know what was paid before");
    let third = buy("cat-1").await;
    assert_eq!(pay("cat-1", third, "4242424242424242").await.unwrap().order.status, OrderStatus::Paid);
    // Its own payment is the newest now.
    assert_eq!(set(&app, "test_other2").await, Ok(false));
    shop.assert_consistent().await;
    end(app).await;
}

/// No payment has a reference by which its account is known again, and one may have taken money.
async fn first_payment_whose_answer_was_lost_keeps_its_account(shop: Fixture) {
    let (fake, app) = start(&shop, true).await;
    set(&app, "test_first").await.unwrap();
    let offer = shop.offer(5, 5).await;
    let order = app.checkout.buy(&actor("ann"), offer, 1, key("buy-00001")).await.unwrap().order.id;
    fake.plan_fault(Call::Create, Fault::CutAfter, 1);
    let token = fake.confirmation_token("4242424242424242").unwrap();
    app.checkout.pay(&actor("ann"), order, &token, None, key("pay-00001")).await.unwrap_err();
    assert_eq!(shop.store.payment(order, 1).await.unwrap().unwrap().reference, None);
    assert_eq!(set(&app, "test_other").await, problem(StripeKeyProblem::AccountChanges));
    // Also when nobody uses them any more.
    app.checkout.remove_stripe_keys(&owner()).await.unwrap();
    wait_an_hour(&shop).await;
    assert_eq!(set(&app, "test_other").await, problem(StripeKeyProblem::PaymentsOpen(1)));
    end(app).await;
}

/// The first payment of the shop, to which no answer came. Gives its order and its token.
async fn unanswered_payment(shop: &Fixture, fake: &FakeStripe, app: &Arc<App>, fault: Fault) -> (OrderId, String) {
    set(app, "test_first").await.unwrap();
    let offer = shop.offer(5, 5).await;
    let order = app.checkout.buy(&actor("ann"), offer, 1, key("buy-00001")).await.unwrap().order.id;
    fake.plan_fault(Call::Create, fault, 1);
    let token = fake.confirmation_token("4242424242424242").unwrap();
    app.checkout.pay(&actor("ann"), order, &token, None, key("pay-00001")).await.unwrap_err();
    assert_eq!(shop.store.payment(order, 1).await.unwrap().unwrap().reference, None);
    (order, token)
}

/// They were removed by mistake: nobody could set keys for eight days, and nobody could find out what became of the payment.
async fn removed_keys_of_an_unanswered_payment_are_taken_again_at_once(shop: Fixture) {
    let (fake, app) = start(&shop, true).await;
    let (order, token) = unanswered_payment(&shop, &fake, &app, Fault::CutBefore).await;
    app.checkout.remove_stripe_keys(&owner()).await.unwrap();
    let shown = app.checkout.stripe_keys(&owner()).await.unwrap();
    assert_eq!(shown.open_payments, 1);
    let (began, day) = (shop.store.payment(order, 1).await.unwrap().unwrap().called_at.unwrap(), 86_400_000);
    assert_eq!(shown.open_until, Some(began + 8 * day));
    assert_eq!(set(&app, "test_second").await, problem(StripeKeyProblem::AccountChanges));
    assert_eq!(set(&app, "test_first").await, Ok(false), "without a wait");
    // Stripe never got the request. The buyer sends it again, under the same key.
    let paid = app.checkout.pay(&actor("ann"), order, &token, None, key("pay-00001")).await.unwrap();
    assert_eq!(paid.order.status, OrderStatus::Paid);
    assert_eq!(fake.intents().len(), 1);
    let shown = app.checkout.stripe_keys(&owner()).await.unwrap();
    assert_eq!((shown.open_payments, shown.open_until), (0, None));
    shop.assert_consistent().await;
    end(app).await;
}

/// The owner made new keys of the account. What was paid with the old ones is not lost.
async fn other_keys_that_know_an_unanswered_payment_are_taken_at_once(shop: Fixture) {
    let (fake, app) = start(&shop, true).await;
    let (order, _) = unanswered_payment(&shop, &fake, &app, Fault::CutAfter).await;
    app.checkout.remove_stripe_keys(&owner()).await.unwrap();
    assert_eq!(set(&app, "test_other").await, problem(StripeKeyProblem::AccountChanges));
    assert_eq!(set(&app, "test_second").await, Ok(false), "they know the payment");
    let payment = shop.store.payment(order, 1).await.unwrap().unwrap();
    assert_eq!(app.checkout.refresh_payment(payment).await.unwrap().status, PaymentStatus::Captured);
    assert_eq!((shop.order(order).await.status, fake.intents().len()), (OrderStatus::Paid, 1));
    end(app).await;
}

async fn new_secret_key_beside_the_same_publishable_key_is_of_the_same_account(shop: Fixture) {
    let (fake, app) = start(&shop, true).await;
    unanswered_payment(&shop, &fake, &app, Fault::CutBefore).await;
    app.checkout.remove_stripe_keys(&owner()).await.unwrap();
    wait_an_hour(&shop).await;
    let open = || problem(StripeKeyProblem::PaymentsOpen(1));
    let new_key = async || set_pair(&app, "test_second", "test_first").await;
    assert_eq!(
        new_key().await,
        open(),
        "an account without payments does not show whether its two keys belong together"
    );
    // A payment that another program made there shows it.
    let made =
        reqwest::Client::new().post(format!("{}/v1/payment_intents", fake.base())).bearer_auth("sk_test_program");
    let made = made.header("stripe-version", "2026-09-30.endive").body("amount=1000&currency=sar");
    assert_eq!(made.send().await.unwrap().status(), 200);
    assert_eq!(set_pair(&app, "test_second", "test_third").await, open());
    assert_eq!(new_key().await, Ok(false));
    end(app).await;
}

/// Each may send five requests to Stripe, and the second one would write over what it has not seen.
async fn change_beside_another_one_is_refused(shop: Fixture) {
    let (fake, app) = start(&shop, true).await;
    let other_node = shop.app_with(shop.store.clone(), settings(&fake, true)).await;
    let asked = async |times: usize| {
        until_some("the first check", SOON, async || (fake.received().len() >= times).then_some(())).await;
    };
    fake.plan_fault(Call::List, Fault::Slow(Duration::from_secs(2)), 1);
    let (first, beside) = tokio::join!(set(&app, "test_first"), async {
        asked(1).await;
        set(&app, "test_first").await
    });
    assert_eq!(first, Ok(false));
    assert!(matches!(beside, Err(Error::Refused(Refusal::Busy { .. }))), "{beside:?}");
    let before = fake.received().len();
    fake.plan_fault(Call::List, Fault::Slow(Duration::from_secs(2)), 1);
    let (slow, quick) = tokio::join!(set(&app, "test_first2"), async {
        asked(before + 1).await;
        set(&other_node, "test_first3").await
    });
    assert_eq!((slow, quick), (Err(Refusal::Outdated.into()), Ok(false)));
    end(Arc::new(other_node)).await;
    end(app).await;
}

/// Without the keys nobody knows what became of it, so it is neither cancelled nor lost.
async fn payment_under_way_waits_for_the_keys_of_its_account(shop: Fixture) {
    let (fake, app) = start(&shop, true).await;
    set(&app, "test_first").await.unwrap();
    let offer = shop.offer(5, 5).await;
    let order = app.checkout.buy(&actor("ann"), offer, 1, key("buy-00001")).await.unwrap().order.id;
    let token = fake.confirmation_token("4000000000003220").unwrap();
    app.checkout.pay(&actor("ann"), order, &token, None, key("pay-00001")).await.unwrap_err();
    let intent = fake.intents()[0]["id"].as_str().unwrap().to_owned();
    assert!(fake.authenticate(&intent, true));

    app.checkout.remove_stripe_keys(&owner()).await.unwrap();
    assert_eq!(app.checkout.payment_provider(), None);
    let payment = async || shop.store.payment(order, 1).await.unwrap().unwrap();
    assert_eq!(app.checkout.refresh_payment(payment().await).await.map(drop), Err(Error::OutcomeUnknown));
    assert_eq!(payment().await.status, PaymentStatus::NeedsAction);
    assert_eq!(
        app.checkout.pay(&actor("ann"), order, &token, None, key("pay-00002")).await.map(drop),
        Err(Refusal::PaymentsOff.into())
    );

    set(&app, "test_second").await.unwrap();
    fake.revoke("rk_test_first");
    assert_eq!(app.checkout.refresh_payment(payment().await).await.unwrap().status, PaymentStatus::Captured);
    assert_eq!(shop.order(order).await.status, OrderStatus::Paid);
    assert_eq!(fake.intents().len(), 1);
    end(app).await;
}

async fn live_key_is_used_neither_with_a_stand_in_nor_beside_payments_for_tests(shop: Fixture) {
    let (fake, app) = start(&shop, false).await;
    assert_eq!(set(&app, "live_first").await, Ok(false));
    assert_eq!(app.checkout.payment_provider(), Some("stripe"));
    // A node that was started with a test server, before the live key was set at another one.
    let beside = shop.app_with(shop.store.clone(), settings(&fake, true)).await;
    assert_eq!(beside.checkout.payment_provider(), None, "the live key goes to no test server");
    assert_eq!(set(&beside, "live_first").await, problem(StripeKeyProblem::StandIn));
    end(Arc::new(beside)).await;
    end(app).await;
    // The file of SQLite belongs to this process as long as the test runs.
    if !shop.is_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), SECRETS_KEY).unwrap();
    std::fs::write(folder.path().join("adapter.key"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    for (more, flag) in [
        (vec!["--payments", "test"], "--payments test is refused"),
        (vec!["--stripe-api-base", fake.base()], "--stripe-api-base and --stripe-element-js are refused"),
        (
            vec!["--stripe-element-js", "http://127.0.0.1:1/x.js"],
            "--stripe-api-base and --stripe-element-js are refused",
        ),
        (
            vec![
                "--payments",
                "http",
                "--payment-adapter-url",
                "http://127.0.0.1:1/",
                "--payment-adapter-key-file=adapter.key",
                "--payment-adapter-test",
            ],
            "--payment-adapter-test is refused",
        ),
    ] {
        let args = [
            ["serve", "--listen=127.0.0.1:0"],
            ["--auth-key=the-key-with-which-the-tests-sign-tokens", "--secrets-key-file=key"],
            ["--base-url", "https://shop.example"],
            ["--store", &shop.url],
        ];
        let mut refused = Process::livesouk(&[&args.concat()[..], &more].concat(), folder.path());
        assert_eq!(refused.end(SOON).await.code(), Some(2), "{more:?}: {}", refused.stderr());
        assert!(refused.stderr().contains(flag), "{}", refused.stderr());
    }
}

//! The settings of a node, from the options that `demo` and `serve` share.

use crate::app::{ChatRateLimit, Settings, WebhookSecret};
use crate::config::{LimitArgs, NamesShown, PaymentArgs};
use crate::domain::PurchaseNames;

/// Which command starts the node.
pub enum NodeKind {
    /// Anybody can sign in, and pay with the test provider.
    Demo,
    Serve {
        has_test_payments: bool,
    },
}

pub fn app_settings(limits: &LimitArgs, payments: &PaymentArgs, kind: NodeKind) -> Settings {
    let defaults = Settings::default();
    let webhook_secret = payments.webhook_secret.as_ref().map_or(defaults.webhook_secret, WebhookSecret::new);
    let chat = ChatRateLimit { viewer_per_s: limits.chat_per_second, room_per_s: limits.room_chat_per_second };
    let kept_ms = |days: u32| (days > 0).then(|| i64::from(days) * 86_400_000);
    Settings {
        chat,
        purchase_names: match limits.purchase_names {
            NamesShown::Full => PurchaseNames::Full,
            NamesShown::Initials => PurchaseNames::Initials,
            NamesShown::Hidden => PurchaseNames::Hidden,
        },
        chat_retention_ms: kept_ms(limits.chat_days),
        address_retention_ms: kept_ms(limits.address_days),
        mail_retention_ms: kept_ms(limits.mail_days),
        is_dev_login_enabled: matches!(kind, NodeKind::Demo),
        stripe: None,
        adapter: None,
        payment_rate: payments.payment_rate,
        is_test_provider_enabled: matches!(kind, NodeKind::Demo | NodeKind::Serve { has_test_payments: true }),
        webhook_secret,
        are_requests_limited: limits.request_limits,
        ..Settings::default()
    }
}

/// The address under which a browser on this machine reaches the node.
pub fn local_url(listen: &str) -> String {
    format!("http://{}", listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]"))
}

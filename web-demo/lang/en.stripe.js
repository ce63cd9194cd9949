// English: the texts of the keys of Stripe.

export default {
  'stripe.title': 'Card payments with Stripe',
  'stripe.about':
    'With the keys of your account at Stripe buyers pay by card in the pages. They are stored encrypted and never shown again.',
  'stripe.mode.live': 'Buyers can pay by card, with real money.',
  'stripe.mode.test':
    'The keys in use are for tests: no money is taken, and an order that is paid with a test card counts as paid.',
  'stripe.mode.none': 'There are no keys, so nobody can pay by card.',
  'stripe.fixed.given':
    'This server was started with keys of Stripe (--stripe-key-file), and they are in use. To set them here, start it without them.',
  'stripe.fixed.other_provider': 'This server was started with another payment provider (--payments), which is in use.',
  'stripe.fixed.no_base_url':
    'This server does not know its public address, to which the bank sends buyers back. Its operator gives it with --base-url.',
  'stripe.fixed.no_secrets_key':
    'This server has no key to encrypt the keys with, so they cannot be typed here. Its operator gives one with --secrets-key-file, or the keys themselves with --stripe-key-file.',
  'stripe.key': 'Restricted key, or secret key',
  'stripe.key_hint':
    'In the dashboard of Stripe under Developers, API keys. A restricted key with only the rights that the manual lists is best.',
  'stripe.publishable_key': 'Publishable key',
  'stripe.publishable_key_hint': 'From the same page. It is no secret: the card form in the pages uses it.',
  'stripe.webhook_secret': 'Signing secret of the webhook endpoint',
  'stripe.webhook_secret_hint': 'Make the endpoint at Stripe first, with the address below.',
  'stripe.set_by': 'set by {name} on {at}.',
  'stripe.kept': 'Leave it empty to keep it.',
  'stripe.webhook_url': 'Address for the webhook endpoint',
  'stripe.webhook_url_hint': 'Copy it into the dashboard of Stripe. The manual lists the events to choose.',
  'stripe.check': 'Check',
  'stripe.works.live': 'Stripe accepts these keys. They take real money.',
  'stripe.works.test': 'Stripe accepts these keys. They are for tests: no money is taken.',
  'stripe.other_account': 'Keys of another account',
  'stripe.other_account_about':
    'They belong to another account or mode than the payments that the shop has. Orders that were paid before can be refunded only in the dashboard of that account.',
  'stripe.saved': 'The keys are saved, and in use within two seconds.',
  'stripe.remove': 'Remove',
  'stripe.remove_title': 'Remove the keys of Stripe',
  'stripe.remove_about':
    'Nobody can pay by card any more, and orders cannot be refunded here. Payments that are under way wait until keys of the same account are set again.',
  'stripe.remove_open': {
    one: 'One payment or refund is not finished.',
    other: '{n} payments or refunds are not finished.',
  },
  'stripe.open': {
    one: 'One payment or refund that was begun with the removed keys is not finished.',
    other: '{n} payments or refunds that were begun with the removed keys are not finished.',
  },
  'stripe.open_same':
    'Set keys of the same account: they are taken at once, and the shop then asks Stripe what became of each. A buyer whose payment went through gets the order, or the money back.',
  'stripe.open_other': 'Keys of another account are taken when all of them are finished.',
  'stripe.open_until':
    'Keys of another account are taken when all of them are finished, on {at} at the latest. By then every amount that was only set aside on a card is free again.',
  'stripe.removed': 'The keys are removed.',
  'stripe.other_field': 'This is a key of another field: {is}.',
  'stripe.begins': 'It must begin with {with}.',
  'stripe.needs_right':
    'The restricted key lacks rights that payments need: {right}. Add them in the dashboard of Stripe.',
  'error.stripe_key_kind': 'This is not a key of the kind that this field needs.',
  'error.stripe_key_mode': 'One of the keys is for tests, and the other for real money. Use two of the same kind.',
  'error.stripe_key_rejected': 'Stripe does not accept this key: it is mistyped, revoked, or has expired.',
  'error.stripe_key_rights': 'The restricted key lacks a right that payments need.',
  'error.stripe_key_account': 'The publishable key and the secret key belong to different accounts.',
  'error.stripe_unreachable': 'Stripe did not answer, so the keys could not be checked. Nothing was saved. Try again.',
  'error.stripe_stand_in':
    'This server uses a test server in place of Stripe (--stripe-api-base or --stripe-element-js), so it takes no live key.',
  'error.stripe_account_changes':
    'The shop was paid with another account or mode. Remove its keys if they are still set, wait half a minute, and then set these.',
  'error.stripe_payments_open':
    'Payments or refunds of the previous account are not finished, and these keys cannot be used to finish them. Set keys of that account first: they are accepted at once, and the shop then finds out what became of each.',
  'error.stripe_keys_fixed': 'The keys of Stripe cannot be set here.',
};

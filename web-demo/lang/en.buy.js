// English: signing in, holding, paying.

export default {
  // product
  product: 'Product', qty: 'Quantity', 'qty.less': 'One less', 'qty.more': 'One more', 'qty.limit': { one: '{n} per buyer', other: 'up to {n} per buyer' },
  'product.hold': 'Hold and pay · {amount}', 'product.hold_line': { one: 'Held for you for {n} minute while you pay. Nothing is charged before.', other: 'Held for you for {n} minutes while you pay. Nothing is charged before.' },

  // order
  checkout: 'Your order', 'order.placing': 'Holding yours…', 'order.checking': 'The answer got lost. Asking again with the same order, you cannot buy twice.',
  'order.place': 'You are number {n}', 'order.place_short': 'no. {n}', 'order.held': 'Held for you', 'order.held_for': 'Held for you for', 'order.held_chip': 'Held for you, no. {n}', 'order.qty': '{n} ×',
  'order.pay': 'Pay {amount}', 'order.cancel': 'Give it back', 'order.capturing': 'Payment under way…', 'order.paid': 'Paid. It is yours!',
  'order.expired': 'The hold ran out', 'order.expired_more': 'It went back on sale. Nothing was charged.', 'order.cancelled': 'Order cancelled', 'order.no_charge': 'Nothing was charged.',
  'order.capture_failed': 'The payment failed, the order was cancelled', 'order.refunded': 'Refunded', 'order.back': 'Back to the show', 'order.finish': 'Pay',
  'order.unknown': 'We could not reach the shop, so we do not know yet whether it is held for you.', 'order.check': 'Check again', 'order.not_placed': 'Your last purchase was not placed. Nothing was charged.', 'order.show_mine': 'Show my order',
  'payment.title': 'Test payment', 'payment.ok': 'Works', 'payment.ok.more': 'paid at once', 'payment.declined': 'Declined', 'payment.declined.more': 'the hold stays, try another',
  'payment.slow': 'Slow', 'payment.slow.more': 'takes two seconds', 'payment.capture_fails': 'Fails at the end', 'payment.capture_fails.more': 'the order is cancelled',
  'status.held': 'Held', 'status.capturing': 'Paying', 'status.paid': 'Paid', 'status.expired': 'Expired', 'status.cancelled': 'Cancelled', 'status.refunded': 'Refunded',
  'say.held': 'Held for you. You are number {n}.', 'say.paid': 'Paid. You are number {n}.',

  // sign-in
  'signin.elsewhere': 'Sign in at the shop first.',
  'signin.why': 'Choose a name to join in. It is a demo: no password, no e-mail.', 'signin.why_buy': 'Choose a name, then it is held for you. It is a demo: nothing is charged.',
  'signin.why_host': 'Choose the name viewers see. It is a demo: no password, no e-mail.', 'signin.name': 'Your name', 'signin.go': 'Join',

  // refusals
  'error.sold_out_for_now': 'All are held right now. Some may come back in a few minutes.', 'error.too_few_left': { one: 'Only {n} is left.', other: 'Only {n} are left.' },
  'error.buyer_limit': 'You already have as many as one buyer may take.', 'error.not_open': 'It is not on sale at the moment.', 'error.closed': 'The sale has ended.',
  'error.no_such_offer': 'This offer is gone.', 'error.no_such_order': 'There is no such order.', 'error.busy': 'Very busy right now. You were not charged, please try again.',
  'error.declined': 'The payment was declined. It is still held for you.', 'error.needs_action': 'Your bank wants you to confirm this payment. The hold stays.', 'error.hold_expired': 'The hold ran out. Nothing was charged.', 'error.capture_failed': 'The payment failed and the order was cancelled. Nothing was charged.',
  'error.not_yours': 'This order is not yours.', 'error.already_paid': 'It is already paid.',
  'error.key_reused': 'This order was already sent with other content.',
  'error.sold_out': 'Sold out.', 'error.outcome_unknown': 'No answer yet.', 'error.timeout': 'No answer in time.', 'error.link_lost': 'The connection broke.', 'error.offline': 'You are not connected.', 'error.slow_mode': 'Slow mode: wait {s} s.',
  'error.chat_budget': 'Too many messages at once. A moment, please.', 'error.forbidden': 'Your role may not do that.', 'error.stream_ended': 'The show has ended.', 'error.bad_request': 'Something in it is not right.', 'error.no_such_stream': 'There is no such show.', 'error.muted': 'You are muted.', 'error.banned': 'You were removed from this show.',
};

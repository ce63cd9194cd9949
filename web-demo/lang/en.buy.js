// English: signing in, holding, paying.

export default {
  // product
  product: 'Product', qty: 'Quantity', 'qty.less': 'One less', 'qty.more': 'One more', 'qty.limit': { one: '{n} per buyer', other: 'up to {n} per buyer' },
  'product.hold': 'Hold and pay · {amount}', 'product.hold_line': { one: 'Held for you for {n} minute while you pay. Nothing is charged before.', other: 'Held for you for {n} minutes while you pay. Nothing is charged before.' },

  // order
  checkout: 'Your order', 'order.placing': 'Holding yours…', 'order.checking': 'The answer got lost. Asking again with the same order, you cannot buy twice.',
  'order.place': 'You are number {n}', 'order.place_short': 'no. {n}', 'order.held': 'Held for you', 'order.held_for': 'Held for you for', 'order.held_chip': 'Held for you, no. {n}', 'order.qty': '× {n}',
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

  // bag, bells and waiting
  'bag.all': 'All', 'bag.mine': 'Mine', 'bag.empty': 'Nothing is on sale yet. The host will show the first piece soon.', 'mine.empty': 'Your orders of this show appear here.', 'bag.sale': 'On sale',
  'bag.search': 'Search the bag', 'bag.nothing_found': 'Nothing in the bag has that name.', 'bag.nothing_on_sale': 'Nothing can be bought right now.', 'bell.on': 'Tell me when {offer} is shown or opens',
  'bell.off': 'Do not tell me about {offer}', 'bell.set': 'We tell you when {offer} is shown or opens.', 'wait.joined': 'We tell you when {offer} comes back. It is not reserved: the first to buy gets it.',
  'wait.left': 'You no longer wait.', 'wait.honest': 'All are taken. When one comes back you hear of it here; it is not reserved for you.', 'tell.back': 'Back on sale: {offer}. Be quick, it is not reserved.',
  'tell.shown': 'Showing now: {offer}', 'tell.open': 'On sale now: {offer}', 'tell.started': '{show} has started', 'tell.keep_open': 'Keep this page open.', 'remind.set': 'We tell you when the show starts.',

  // share
  'share.copied': 'Link copied', 'share.by_hand': 'Copy this link to share the show.', 'share.link': 'Link to the show', 'share.copy': 'Copy the link', 'share.more': 'Share with…',
  'share.qr': 'QR code of the link', 'share.scan': 'Point a phone\'s camera at it.',

  // one's own orders
  'orders.all': 'All my orders', 'orders.none': 'No orders yet', 'orders.none_more': 'What you buy in a show is listed here.', 'orders.who': 'Sign in to see your orders', 'orders.back': 'Back to my orders',
  'signin.why_orders': 'Use the name you bought under. It is a demo: orders belong to this tab\'s sign-in.', 'signin.why_wait': 'Choose a name, then we tell you when one comes back.',
  'order.again': 'Try again', 'order.history': 'What happened', 'order.total': 'Total', 'product.variant': 'Variant', 'step.held': 'Held for you', 'step.declined': 'Payment declined', 'step.paid': 'Paid',
  'step.expired': 'Hold ran out', 'step.cancelled': 'Given back', 'step.capture_failed': 'Payment failed', 'step.refund_asked': 'Refund asked for', 'step.refunded': 'Refunded',
  'step.refund_failed': 'Refund failed',

  // address
  'address.title': 'Deliver to', 'address.name': 'Full name', 'address.line1': 'Street and house', 'address.line2': 'Flat, floor, landmark', 'address.city': 'City', 'address.region': 'Region',
  'address.postcode': 'Postcode', 'address.country': 'Country', 'address.phone': 'Phone', 'address.optional': '(optional)', 'address.keep': 'Remember on this device', 'address.missing': 'This is needed.',
  'address.bad_phone': 'A phone number has 5 to 20 digits.', 'address.erase': 'Erase my address', 'address.erased': 'Your address was erased.',

  // more refusals
  'error.wrong_status': 'That is not possible any more.',
};

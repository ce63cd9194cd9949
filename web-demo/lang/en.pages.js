// English: the texts of small pages: orders, sign-in, policies, and an address that leads nowhere.

export default {
  'orders.none': 'No orders yet',
  'orders.none_more': 'Items you buy in a show appear here.',
  'order.link_only': 'You see one order by its link.',
  'orders.sign_in': 'Sign in to see your orders',
  'orders.back': 'Back to my orders',
  'oidc.given_up': 'You were not signed in: the other page ended it.',
  'oidc.nothing': 'There is nothing to do here. Start on the page where you want to sign in.',
  'oidc.back': 'Back',
  'not_found.title': 'This page does not exist',
  'not_found.about': 'The link may be mistyped, or the page was removed.',
  'policy.none': 'The shop has not written this page.',
  'error.no_such_policy': 'The shop has not written this policy.',
};

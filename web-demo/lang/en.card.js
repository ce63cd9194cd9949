// The texts of the card form, and of the way to the page of another provider.
export default {
  'payment.card': 'Card',
  'payment.card.more': 'Card details go to Stripe. The shop never sees them.',
  'payment.page': 'Card or wallet',
  'payment.page.more': 'On the page of the payment provider.',
  'payment.page.back': 'You pay on the page of the payment provider and come back here. The shop never sees your card.',
  'payment.own_tab': 'Open the shop in a tab of its own to pay by card',
  'card.loading': 'Loading the card form…',
  'error.card_form_unreachable': 'The card form could not be loaded. Check your connection, or your script blocker.',
  'error.card_incomplete': 'Check what you typed into the card form.',
};

// The texts of the card form.
export default {
  'payment.card': 'Card',
  'payment.card.more': 'Card details go to Stripe. The shop never sees them.',
  'payment.own_tab': 'Open the shop in a tab of its own to pay by card',
  'card.loading': 'Loading the card form…',
  'error.card_form_unreachable': 'The card form could not be loaded. Check your connection, or your script blocker.',
  'error.card_incomplete': 'Check what you typed into the card form.',
};

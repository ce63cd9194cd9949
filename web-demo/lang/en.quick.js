// English: the texts of quick items.

export default {
  'quick.title': 'Quick item',
  'quick.quantity': 'How many',
  'quick.sell': 'Sell it now',
  'quick.later': 'It gets the next number of this show. Complete its title and texts at the desk later.',
  'quick.on_sale': '#{number} is on sale',
};

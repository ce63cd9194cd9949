// English: the texts of the front page.


export default {
  'shop.tagline': 'Live shopping from the souk. Watch, ask and buy.',
  'shop.live': 'Live now',
  'shop.coming': 'Upcoming shows',
  'shop.ended': 'Past shows',
  'shop.on_sale': 'On sale in the live shows',
  'shop.host': 'with {name}',
  'shop.watching': { one: '{n} watching', other: '{n} watching' },
  'shop.watch': 'Watch',
  'shop.empty': 'No shows are scheduled yet.',
  'shop.empty_more': 'A show appears here as soon as it goes live.',
  'shop.search': 'Search shows and products',
  'shop.categories': 'Categories',
  'shop.all': 'All',
  'shop.nothing': 'No shows or products match your search.',
  'shop.clear': 'Clear search',
  'shop.host_console': 'Host console',
  'shop.developers': 'Developers',
  'category.kitchen': 'Kitchen',
  'category.wear': 'Fashion',
  'category.home': 'Home',
  'category.food': 'Food',
  'category.beauty': 'Beauty',
};

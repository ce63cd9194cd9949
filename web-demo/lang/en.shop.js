// English: the shop's front.

export default {
  'shop.live': 'Live now', 'shop.coming': 'Coming up', 'shop.ended': 'Past shows', 'shop.host': 'with {name}',
  'shop.empty': 'No show is on the calendar yet.', 'shop.empty_more': 'When a host goes live, it appears here by itself.',
  'shop.tagline': 'Live from the souk: see it, ask about it, take it home.', 'shop.watching': { one: '{n} watching', other: '{n} watching' },
  'shop.for_hosts': 'Host console', 'shop.developers': 'For developers',
  'shop.watch': 'Watch',
  'shop.search': 'Search shows and things', 'shop.categories': 'Categories', 'shop.all': 'All', 'shop.on_sale': 'On sale in the shows', 'shop.nothing': 'Nothing fits that.', 'shop.clear': 'Show everything',
  'category.kitchen': 'Kitchen', 'category.wear': 'To wear', 'category.home': 'Home', 'category.food': 'Food', 'category.beauty': 'Beauty',
};

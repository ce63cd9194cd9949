// Arabic: the end of a show.

export default {
  'end.title': 'انتهى البث',
  'end.thanks': 'شكرًا لمشاهدتك، مع تحيات {name}.',
  'end.next': 'البث القادم',
  'end.live': 'مباشر الآن',
  'end.watch': 'شاهد',
  'end.see': 'اعرض البث',
  'end.products': 'منتجات هذا البث',
  'end.shop': 'كل البثوث',
};

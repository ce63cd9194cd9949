// العربية: the shop's front.

export default {
  'shop.live': 'مباشر الآن', 'shop.coming': 'قريبًا', 'shop.ended': 'عروض سابقة', 'shop.host': 'مع {name}',
  'shop.empty': 'لا عروض في الجدول بعد.', 'shop.empty_more': 'حين يبدأ البث سيظهر هنا من تلقاء نفسه.',
  'shop.tagline': 'من السوق مباشرة: شاهد، اسأل، وخذها معك.', 'shop.watching': { zero: 'لا مشاهدين', one: 'مشاهد واحد', two: 'مشاهدان', few: '{n} مشاهدين', many: '{n} مشاهدًا', other: '{n} مشاهد' },
  'shop.for_hosts': 'لوحة المقدّم', 'shop.developers': 'للمطورين',
  'shop.watch': 'شاهد',
  'shop.search': 'ابحث في العروض والسلع', 'shop.categories': 'الأصناف', 'shop.all': 'الكل', 'shop.on_sale': 'للبيع في العروض', 'shop.nothing': 'لا شيء يطابق ذلك.', 'shop.clear': 'اعرض كل شيء',
  'category.kitchen': 'المطبخ', 'category.wear': 'أزياء', 'category.home': 'المنزل', 'category.food': 'أطعمة', 'category.beauty': 'الجمال',
};

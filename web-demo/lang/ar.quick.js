// Arabic: the texts of quick items.

export default {
  'quick.title': 'منتج سريع',
  'quick.quantity': 'العدد',
  'quick.sell': 'بيعه الآن',
  'quick.later': 'يحصل على الرقم التالي في هذا البث. أكمل عنوانه ونصوصه لاحقًا في لوحة البائع.',
  'quick.on_sale': '‏#{number} معروض للبيع',
};

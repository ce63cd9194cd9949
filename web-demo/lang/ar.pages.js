// العربية: the texts of small pages: orders, sign-in, policies, and an address that leads nowhere.

export default {
  'orders.none': 'لا توجد طلبات بعد',
  'orders.none_more': 'يظهر هنا ما تشتريه أثناء البث.',
  'order.link_only': 'يعرض هذا الرابط طلبًا واحدًا.',
  'orders.sign_in': 'سجّل الدخول لترى طلباتك',
  'orders.back': 'عودة إلى طلباتي',
  'oidc.given_up': 'لم يكتمل تسجيل الدخول: أُلغي في الصفحة الأخرى.',
  'oidc.nothing': 'لا شيء هنا. ابدأ من الصفحة التي تريد تسجيل الدخول فيها.',
  'oidc.back': 'رجوع',
  'not_found.title': 'هذه الصفحة غير موجودة',
  'not_found.about': 'ربما كُتب الرابط خطأً، أو أُزيلت الصفحة.',
  'policy.none': 'لم يكتب المتجر هذه الصفحة بعد.',
  'error.no_such_policy': 'لم يكتب المتجر هذه السياسة.',
};

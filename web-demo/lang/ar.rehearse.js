// العربية: the rehearsal.

export default {
  'rehearse': 'تجربة', 'rehearse.about': 'مشاهدون افتراضيون يدخلون ويتحدثون ويشترون في غرفة أُعدّت لهذا وحده. لا يراها أحد غيرك، ولا يُمسّ مخزونك.',
  'rehearse.viewers': 'المشاهدون، من 1 إلى 200', 'rehearse.seconds': 'الثواني، من 24 إلى 90', 'rehearse.begin': 'ابدأ التجربة', 'rehearse.stop': 'أوقف التجربة',
  'rehearse.time': 'الوقت', 'rehearse.connected': 'المتصلون', 'rehearse.messages': 'الرسائل', 'rehearse.orders': 'الطلبات المحجوزة', 'rehearse.delivery': 'وصول 99٪ خلال', 'rehearse.s': '{n} ث', 'rehearse.ms': '{n} م.ث', 'rehearse.of': '{n} من {all}',
  'rehearse.is_running': 'التجربة جارية.', 'rehearse.is_passed': 'نجحت: صحّت كل الفحوص.', 'rehearse.is_failed': 'فشلت.', 'rehearse.is_stopped': 'أُوقفت.',
};

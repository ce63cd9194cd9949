// Arabic: the recording of a show.

export default {
  'replay.badge': 'تسجيل',
  'replay.play': 'تشغيل',
  'replay.pause': 'إيقاف مؤقت',
  'replay.position': 'الموضع في التسجيل',
  'replay.chapters': 'المنتجات في هذا التسجيل',
  'replay.elsewhere': 'معروض للبيع الآن في {show}',
  'replay.chat_gone': 'لم تعد دردشة البث محفوظة.',
  'replay.chat_partly': 'لم تعد بداية دردشة البث محفوظة.',
};

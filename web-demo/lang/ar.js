// العربية: what every page and the viewer's page need.

export default {
  // everywhere
  home: 'كل العروض', close: 'إغلاق', cancel: 'تراجع', language: 'اللغة', viewers: 'مشاهد', stage: 'العرض',
  save: 'حفظ', loading: 'جارٍ التحميل…',

  // viewer: bars and stage
  'badge.live': 'مباشر', 'badge.scheduled': 'قريبًا', 'badge.ended': 'انتهى',
  'stage.live': 'على الهواء', 'stage.starts': 'يبدأ {at}', 'stage.soon': 'يبدأ قريبًا', 'stage.ended': 'انتهى العرض. شكرًا لحضوركم!',
  'video.open': 'افتح الفيديو', share: 'مشاركة',
  'sound.on': 'تشغيل الصوت', 'sound.off': 'كتم الصوت', heart: 'أرسل قلبًا', send: 'إرسال',
  'conn.connecting': 'جارٍ الاتصال…', 'conn.reconnecting': 'انقطع الاتصال. نعيد المحاولة…', 'conn.catching_up': 'نستدرك ما فات…', 'conn.live': 'عدت إلى البث المباشر',
  'conn.delayed': 'الدردشة متوقفة للحظات وقد تتأخر الأرقام. الشراء يعمل.',
  'conn.closed.4501': 'انتهت جلسة دخولك.', 'conn.closed.4502': 'أُخرجت من هذا العرض.', 'conn.closed.4509': 'العرض مفتوح الآن في نافذة أخرى.',
  'conn.closed.other': 'أُغلق الاتصال.', 'conn.again.4501': 'تسجيل الدخول', 'conn.again.4509': 'شاهد هنا', 'conn.again.4500': 'إعادة التحميل',

  // viewer: chat
  chat: 'الدردشة', 'chat.hint': 'اكتب شيئًا…', 'chat.new': { one: 'رسالة جديدة', two: 'رسالتان جديدتان', few: '{n} رسائل جديدة', many: '{n} رسالة جديدة', other: '{n} رسالة جديدة' }, 'chat.gap': 'فاتتك بعض الرسائل',
  'chat.removed': 'حُذفت الرسالة', 'chat.sign_in': 'سجّل الدخول للدردشة', 'chat.sign_in_elsewhere': 'سجّل الدخول في المتجر للدردشة', 'chat.ended': 'انتهى العرض',
  'chat.muted': 'أنت مكتوم', 'chat.muted_until': 'أنت مكتوم حتى {at}', 'chat.off': 'الدردشة مغلقة أمامك',
  'chat.unsure': 'لا نعلم إن وصلت رسالتك. ما زالت في الحقل.',
  'role.host': 'المقدّم', 'role.moderator': 'مشرف', 'role.producer': 'الفريق', 'role.admin': 'الفريق',
  'note.purchased': 'اشترى {name} {offer}', 'note.purchased_many': 'اشترى {name} {n} × {offer}', 'note.pinned': 'يُعرض الآن: {offer}',
  'note.sale_opened': 'بدأ البيع: {offer}', 'note.sale_closed': 'انتهى البيع: {offer}', 'note.announced': 'تنبيه: {text}',
  'note.muted': 'كُتم {name}', 'note.banned': 'أُخرج {name}', 'note.started': 'بدأ العرض', 'note.ended': 'انتهى العرض',

  // viewer: offers
  pinned: 'يُعرض الآن', bag: 'الحقيبة',
  buy: 'اشترِ',
  'offer.left': { zero: 'لم يبق شيء', one: 'بقيت قطعة', two: 'بقيت قطعتان', few: 'بقيت {n} قطع', many: 'بقيت {n} قطعة', other: 'بقيت {n} قطعة' },
  'offer.low': { zero: 'لم يبق شيء', one: 'بقيت قطعة فقط', two: 'بقيت قطعتان فقط', few: 'بقيت {n} قطع فقط', many: 'بقيت {n} قطعة فقط', other: 'بقيت {n} قطعة فقط' },
  'offer.units': { zero: 'لا قطع', one: 'قطعة واحدة', two: 'قطعتان', few: '{n} قطع', many: '{n} قطعة', other: '{n} قطعة' }, 'offer.paused': 'توقف قصير', 'offer.paused_short': 'متوقف',
  'offer.all_held': 'كلها محجوزة، وقد يعود بعضها', 'offer.held_short': 'محجوزة', 'offer.sold_out': 'نفدت', 'offer.ended': 'انتهى البيع', 'offer.ended_short': 'انتهى',
  'offer.soon': 'قريبًا', 'offer.before': 'قبل: ', 'flag.soon': 'يبدأ بعد', 'flag.flash': 'عرض خاطف',

  // waiting, reminders, one's own orders
  captions: 'الترجمة', 'remind.me': 'ذكّرني', 'remind.on': 'سنخبرك', 'remind.calendar': 'أضف إلى التقويم', 'orders.mine': 'طلباتي', 'wait.join': 'أخبرني', 'wait.on': 'بالانتظار',
  'wait.people': { zero: 'لا أحد ينتظر', one: 'شخص ينتظر', two: 'شخصان ينتظران', few: '{n} ينتظرون', many: '{n} ينتظرون', other: '{n} ينتظرون' },

  'signin.title': 'دخول', 'say.sold_out': 'نفدت: {offer}',

  // refusals; those that only a buyer or talker meets are in the .buy file
  'error.unknown': 'لم ينجح ذلك. حاول مرة أخرى.', 'error.network': 'تعذّر الوصول إلى المتجر.',
  'error.unavailable': 'المتجر لا يستطيع الرد الآن.',
  'error.sign_in': 'سجّل الدخول من فضلك.',
  'error.token_expired': 'انتهت جلسة دخولك. يمكنك متابعة المشاهدة.',
  'problem.title': 'لا شيء هنا', 'problem.no_stream': 'هذا العرض غير موجود، أو لم يعد موجودًا.', 'problem.away': 'تعذّر الوصول إلى المتجر.', 'problem.again': 'حاول مرة أخرى',

  // moderation, as the one moderated reads it
  'chat.held': 'بانتظار المراجعة', 'chat.hidden': 'لم تُعرض رسالتك', 'chat.pinned': 'تعليق مثبّت', 'chat.team_only': 'الدردشة متوقفة الآن', 'chat.muted_why': 'أنت مكتوم: {reason}',
  'told.delete': 'حُذفت رسالتك: {reason}', 'told.hide': 'لم تُعرض رسالتك: {reason}', 'told.mute': 'كُتمت: {reason}', 'told.unmute': 'يمكنك الكتابة من جديد: {reason}', 'told.ban': 'أُخرجت: {reason}', 'told.unban': 'يمكنك العودة: {reason}',
  'error.chat_off': 'الكتابة الآن للفريق فقط.', 'error.word_refused': 'في الرسالة كلمة غير مرغوبة هنا.', 'error.link_refused': 'الروابط غير مرغوبة هنا.', 'error.too_long': '200 حرف على الأكثر من فضلك.', 'error.token_invalid': 'تسجيل دخولك غير صالح. سجّل الدخول من جديد.', 'error.flood': 'تكرار زائد لعلامة واحدة.', 'error.repeated': 'قلت هذا قبل لحظة.', 'error.queue_full': 'رسائل كثيرة بانتظار المراجعة. حاول بعد قليل.',
};

// العربية: signing in, holding, paying.

export default {
  // product
  product: 'المنتج', qty: 'الكمية', 'qty.less': 'أنقص واحدة', 'qty.more': 'زد واحدة', 'qty.limit': { one: 'قطعة واحدة لكل مشترٍ', two: 'حتى قطعتين لكل مشترٍ', few: 'حتى {n} قطع لكل مشترٍ', many: 'حتى {n} قطعة لكل مشترٍ', other: 'حتى {n} قطعة لكل مشترٍ' },
  'product.hold': 'احجز وادفع · {amount}', 'product.hold_line': { one: 'تُحجز لك دقيقة ريثما تدفع. لا يُخصم شيء قبل ذلك.', two: 'تُحجز لك دقيقتين ريثما تدفع. لا يُخصم شيء قبل ذلك.', few: 'تُحجز لك {n} دقائق ريثما تدفع. لا يُخصم شيء قبل ذلك.', many: 'تُحجز لك {n} دقيقة ريثما تدفع. لا يُخصم شيء قبل ذلك.', other: 'تُحجز لك {n} دقيقة ريثما تدفع. لا يُخصم شيء قبل ذلك.' },

  // order
  checkout: 'طلبك', 'order.placing': 'نحجزها لك…', 'order.checking': 'ضاع الجواب. نسأل من جديد بالطلب نفسه، ولن تشتري مرتين.',
  'order.place': 'رقمك {n}', 'order.place_short': 'رقم {n}', 'order.held': 'محجوزة لك', 'order.held_for': 'محجوزة لك لمدة', 'order.held_chip': 'محجوزة لك، رقم {n}', 'order.qty': '× {n}',
  'order.pay': 'ادفع {amount}', 'order.cancel': 'ألغِ الحجز', 'order.capturing': 'جارٍ الدفع…', 'order.paid': 'تم الدفع. مبارك عليك!',
  'order.expired': 'انتهت مدة الحجز', 'order.expired_more': 'عادت القطعة إلى البيع. لم يُخصم شيء.', 'order.cancelled': 'أُلغي الطلب', 'order.no_charge': 'لم يُخصم شيء.',
  'order.capture_failed': 'فشل الدفع وأُلغي الطلب', 'order.refunded': 'أُعيد المبلغ', 'order.back': 'عودة إلى العرض', 'order.finish': 'ادفع',
  'order.unknown': 'تعذّر الوصول إلى المتجر، فلا نعلم بعد إن كانت محجوزة لك.', 'order.check': 'تحقق مرة أخرى', 'order.not_placed': 'لم يُسجَّل طلبك الأخير. لم يُخصم شيء.', 'order.show_mine': 'أرني طلبي',
  'payment.title': 'دفع تجريبي', 'payment.ok': 'ناجح', 'payment.ok.more': 'يُدفع فورًا', 'payment.declined': 'مرفوض', 'payment.declined.more': 'يبقى الحجز، جرّب غيره',
  'payment.slow': 'بطيء', 'payment.slow.more': 'يستغرق ثانيتين', 'payment.capture_fails': 'يفشل في النهاية', 'payment.capture_fails.more': 'يُلغى الطلب',
  'status.held': 'محجوز', 'status.capturing': 'قيد الدفع', 'status.paid': 'مدفوع', 'status.expired': 'انتهت مدته', 'status.cancelled': 'ملغى', 'status.refunded': 'أُعيد مبلغه',
  'say.held': 'محجوزة لك. رقمك {n}.', 'say.paid': 'تم الدفع. رقمك {n}.',

  // sign-in
  'signin.elsewhere': 'سجّل الدخول في المتجر أولًا.',
  'signin.why': 'اختر اسمًا لتشارك. هذا عرض تجريبي: لا كلمة مرور ولا بريد.', 'signin.why_buy': 'اختر اسمًا فتُحجز لك. هذا عرض تجريبي: لن يُخصم شيء.',
  'signin.why_host': 'اختر الاسم الذي يراه المشاهدون. هذا عرض تجريبي: لا كلمة مرور ولا بريد.', 'signin.name': 'اسمك', 'signin.go': 'ادخل',

  // refusals
  'error.sold_out_for_now': 'كلها محجوزة الآن. قد يعود بعضها خلال دقائق.', 'error.too_few_left': { zero: 'لم يبق شيء.', one: 'لم تبق إلا قطعة.', two: 'لم تبق إلا قطعتان.', few: 'لم تبق إلا {n} قطع.', many: 'لم تبق إلا {n} قطعة.', other: 'لم تبق إلا {n} قطعة.' },
  'error.buyer_limit': 'أخذت أقصى ما يُسمح به لكل مشترٍ.', 'error.not_open': 'البيع غير مفتوح الآن.', 'error.closed': 'انتهى البيع.',
  'error.no_such_offer': 'لم يعد هذا العرض موجودًا.', 'error.no_such_order': 'لا يوجد طلب كهذا.', 'error.busy': 'ازدحام شديد الآن. لم يُخصم شيء، حاول مرة أخرى.',
  'error.declined': 'رُفضت عملية الدفع. القطعة ما زالت محجوزة لك.', 'error.needs_action': 'يطلب البنك تأكيد هذه الدفعة. القطعة ما زالت محجوزة لك.', 'error.hold_expired': 'انتهت مدة الحجز. لم يُخصم شيء.', 'error.capture_failed': 'فشل الدفع وأُلغي الطلب. لم يُخصم شيء.',
  'error.not_yours': 'هذا الطلب ليس لك.', 'error.already_paid': 'دُفع ثمنه من قبل.',
  'error.key_reused': 'أُرسل هذا الطلب من قبل بمحتوى آخر.',
  'error.sold_out': 'نفدت الكمية.', 'error.outcome_unknown': 'لا جواب بعد.', 'error.timeout': 'تأخر الجواب.', 'error.link_lost': 'انقطع الاتصال.', 'error.offline': 'أنت غير متصل.', 'error.slow_mode': 'الوضع البطيء: انتظر {s} ث.',
  'error.chat_budget': 'رسائل كثيرة دفعة واحدة. لحظة من فضلك.', 'error.forbidden': 'دورك لا يسمح بذلك.', 'error.stream_ended': 'انتهى العرض.', 'error.bad_request': 'في الطلب شيء غير صحيح.', 'error.no_such_stream': 'لا يوجد بث كهذا.', 'error.muted': 'أنت مكتوم.', 'error.banned': 'أُخرجت من هذا العرض.',

  // bag, bells and waiting
  'bag.all': 'الكل', 'bag.mine': 'طلباتي', 'bag.empty': 'لا شيء معروض للبيع بعد. ستظهر القطعة الأولى قريبًا.', 'mine.empty': 'تظهر هنا طلباتك في هذا العرض.', 'bag.sale': 'للبيع الآن',
  'bag.search': 'ابحث في الحقيبة', 'bag.nothing_found': 'لا شيء في الحقيبة بهذا الاسم.', 'bag.nothing_on_sale': 'لا شيء متاح للشراء الآن.', 'bell.on': 'أخبرني حين يُعرض {offer} أو يُفتح بيعه',
  'bell.off': 'لا تخبرني عن {offer}', 'bell.set': 'سنخبرك حين يُعرض {offer} أو يُفتح بيعه.', 'wait.joined': 'سنخبرك حين يعود {offer}. ليس محجوزًا لك: يأخذه من يشتري أولًا.', 'wait.left': 'لم تعد في الانتظار.',
  'wait.honest': 'كل القطع مأخوذة. إن عادت واحدة فستعلم هنا، وهي غير محجوزة لك.', 'tell.back': 'عاد إلى البيع: {offer}. أسرع، فهو غير محجوز.', 'tell.shown': 'يُعرض الآن: {offer}',
  'tell.open': 'بدأ البيع: {offer}', 'tell.started': 'بدأ {show}', 'tell.keep_open': 'أبقِ هذه الصفحة مفتوحة.', 'remind.set': 'سنخبرك حين يبدأ العرض.',

  // share
  'share.copied': 'نُسخ الرابط', 'share.by_hand': 'انسخ هذا الرابط لمشاركة العرض.', 'share.link': 'رابط العرض', 'share.copy': 'انسخ الرابط', 'share.more': 'مشاركة عبر…', 'share.qr': 'رمز QR للرابط',
  'share.scan': 'وجّه كاميرا هاتف إليه.',

  // one's own orders
  'orders.all': 'كل طلباتي', 'orders.none': 'لا طلبات بعد', 'orders.none_more': 'ما تشتريه في عرض يظهر هنا.', 'orders.who': 'سجّل الدخول لترى طلباتك', 'orders.back': 'عودة إلى طلباتي',
  'signin.why_orders': 'استعمل الاسم الذي اشتريت به. هذا عرض تجريبي: الطلبات لمن دخل في هذا التبويب.', 'signin.why_wait': 'اختر اسمًا، ثم نخبرك حين تعود قطعة.', 'order.again': 'حاول مرة أخرى',
  'order.history': 'ما الذي حدث', 'order.total': 'المجموع', 'product.variant': 'النوع', 'step.held': 'حُجزت لك', 'step.declined': 'رُفض الدفع', 'step.paid': 'دُفعت', 'step.expired': 'انتهت مدة الحجز',
  'step.cancelled': 'أُلغي الحجز', 'step.capture_failed': 'فشل الدفع', 'step.refund_asked': 'طُلبت إعادة المبلغ', 'step.refunded': 'أُعيد المبلغ', 'step.refund_failed': 'تعذّرت إعادة المبلغ',

  // address
  'address.title': 'التوصيل إلى', 'address.name': 'الاسم الكامل', 'address.line1': 'الشارع والمبنى', 'address.line2': 'الشقة أو الطابق أو علامة قريبة', 'address.city': 'المدينة', 'address.region': 'المنطقة',
  'address.postcode': 'الرمز البريدي', 'address.country': 'البلد', 'address.phone': 'الهاتف', 'address.optional': '(اختياري)', 'address.keep': 'تذكّره على هذا الجهاز', 'address.missing': 'هذا الحقل مطلوب.',
  'address.bad_phone': 'رقم الهاتف من 5 إلى 20 رقمًا.', 'address.erase': 'امحُ عنواني', 'address.erased': 'مُحي عنوانك.',

  // more refusals
  'error.wrong_status': 'لم يعد ذلك ممكنًا.',
};

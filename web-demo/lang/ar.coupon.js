// العربية: the texts of coupons in the checkout.

export default {
  'coupon.have': 'أضف رمز قسيمة',
  'coupon.code': 'رمز القسيمة',
  'coupon.apply': 'تطبيق',
  'coupon.remove': 'إزالة',
  'coupon.remove_code': 'إزالة القسيمة {code}',
  'coupon.saved': 'وفّرت {amount}',
  'coupon.minimum': 'تتطلب هذه القسيمة أن تبلغ قيمة المنتجات المشمولة بها {amount} على الأقل.',
  'coupon.claim': 'احصل عليها',
  'coupon.claimed': 'لك',
  'coupon.kept': 'القسيمة لك: يُخصم مبلغها عند إتمام الشراء ما دامت متاحة.',
  'coupon.off': 'خصم {value}',
  'coupon.off_from': 'من {amount}',
  'error.coupon_unknown': 'لا نعرف هذا الرمز. تحقّق من كتابته.',
  'error.coupon_not_started': 'لا يمكن استخدام هذه القسيمة بعد.',
  'error.coupon_ended': 'انتهت هذه القسيمة.',
  'error.coupon_used_up': 'نفدت هذه القسيمة. حاول لاحقًا: تُتاح من جديد إن لم يدفع أحد المشترين.',
  'error.coupon_person_limit': 'سبق أن استخدمت هذه القسيمة.',
  'error.coupon_other_show': 'هذه القسيمة لبث آخر.',
  'error.coupon_products': 'هذه القسيمة ليست لمنتجات هذا الطلب.',
  'error.coupon_minimum': 'قيمة المنتجات أقل مما تتطلبه هذه القسيمة.',
};

// The texts of the card form, and of the way to the page of another provider.
export default {
  'payment.card': 'بطاقة',
  'payment.card.more': 'تذهب بيانات البطاقة إلى Stripe، ولا يراها المتجر أبدًا.',
  'payment.page': 'بطاقة أو محفظة',
  'payment.page.more': 'على صفحة مزوّد الدفع.',
  'payment.page.back': 'تدفع على صفحة مزوّد الدفع ثم تعود إلى هنا. لا يرى المتجر بطاقتك أبدًا.',
  'payment.own_tab': 'افتح المتجر في علامة تبويب مستقلة للدفع بالبطاقة',
  'card.loading': 'جارٍ تحميل نموذج البطاقة…',
  'error.card_form_unreachable': 'تعذّر تحميل نموذج البطاقة. تحقق من اتصالك أو من مانع النصوص البرمجية.',
  'error.card_incomplete': 'تحقق مما كتبته في نموذج البطاقة.',
};

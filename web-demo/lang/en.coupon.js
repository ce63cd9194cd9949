// English: the texts of coupons in the checkout.

export default {
  'coupon.have': 'Add a coupon code',
  'coupon.code': 'Coupon code',
  'coupon.apply': 'Apply',
  'coupon.remove': 'Remove',
  'coupon.remove_code': 'Remove the coupon {code}',
  'coupon.saved': 'You save {amount}',
  'coupon.minimum': 'This coupon needs items it is for worth at least {amount}.',
  'coupon.claim': 'Claim',
  'coupon.claimed': 'Yours',
  'coupon.kept': 'The coupon is yours: you get the discount at the checkout if the coupon is not used up by then.',
  'coupon.off': '{value} off',
  'coupon.off_from': 'from {amount}',
  'error.coupon_unknown': 'We don’t know this code. Check how it is written.',
  'error.coupon_not_started': 'This coupon can’t be used yet.',
  'error.coupon_ended': 'This coupon has ended.',
  'error.coupon_used_up': 'This coupon is used up. Try again later: it is free again when somebody doesn’t pay.',
  'error.coupon_person_limit': 'You have used this coupon already.',
  'error.coupon_other_show': 'This coupon is for another show.',
  'error.coupon_products': 'This coupon isn’t for the items in this order.',
  'error.coupon_minimum': 'The items cost less than this coupon needs.',
};

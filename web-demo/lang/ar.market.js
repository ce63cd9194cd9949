// العربية: the texts of the countries to which a shop delivers, for a buyer whose address is elsewhere.

export default {
  'address.elsewhere': 'عنوانك المحفوظ في {country}، لذلك لم نملأ الحقول به.',
  'address.delivers_to': 'يوصل هذا المتجر إلى: {countries}.',
  'address.delivers_to_many': {
    zero: 'لا يوصل هذا المتجر إلى أي بلد.',
    one: 'يوصل هذا المتجر إلى بلد واحد: اختره من القائمة.',
    two: 'يوصل هذا المتجر إلى بلدين: اختر بلدك من القائمة.',
    few: 'يوصل هذا المتجر إلى {n} بلدان: اختر بلدك من القائمة.',
    many: 'يوصل هذا المتجر إلى {n} بلدًا: اختر بلدك من القائمة.',
    other: 'يوصل هذا المتجر إلى {n} بلد: اختر بلدك من القائمة.',
  },
  'error.country_not_served': 'لا يوصل هذا المتجر إلى هذا البلد، ولم يُخصم منك شيء.',
};

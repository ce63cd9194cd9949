// The terms that viewers read, in the three languages. One concept has one word in each language; team_terms.js has those of the team's pages.
//
// The language files take their labels from here, and tests/browser/texts.test.js checks that whole sentences use the
// same words. The column of the code is the key: it is the name that this concept has in the code and on the wire.

const TERMS = {
  product: { en: 'Product', ar: 'المنتج', id: 'Produk' },
  variant: { en: 'Variant', ar: 'النوع', id: 'Varian' },
  on_sale: { en: 'On sale', ar: 'معروض للبيع', id: 'Dijual' },
  reserved: { en: 'Reserved', ar: 'محجوز', id: 'Direservasi' },
  quantity: { en: 'Quantity', ar: 'الكمية', id: 'Jumlah' },
  my_orders: { en: 'My orders', ar: 'طلباتي', id: 'Pesanan saya' },
  expired: { en: 'Expired', ar: 'انتهت مدته', id: 'Kedaluwarsa' },
  cancelled: { en: 'Cancelled', ar: 'ملغى', id: 'Dibatalkan' },
  paid: { en: 'Paid', ar: 'مدفوع', id: 'Lunas' },
  refunded: { en: 'Refunded', ar: 'استُرد المبلغ', id: 'Dana dikembalikan' },
  required: { en: 'Required', ar: 'مطلوب', id: 'Wajib diisi' },
};

/**
 * The terms in one language.
 * @param {'en' | 'ar' | 'id'} lang
 * @returns {Record<keyof typeof TERMS, string>}
 */
export function termsIn(lang) {
  const pairs = Object.entries(TERMS).map(([key, term]) => [key, term[lang]]);
  return /** @type {Record<keyof typeof TERMS, string>} */ (Object.fromEntries(pairs));
}

// The terms of the pages of the team, beside those that viewers read (terms.js): viewers need not load them.

import { termsIn as viewerTermsIn } from './terms.js';

const TERMS = {
  show: { en: 'Show', ar: 'البث', id: 'Siaran' },
  product_list: { en: 'Shop', ar: 'المنتجات', id: 'Produk' },
  lineup: { en: 'Line-up', ar: 'قائمة البث', id: 'Susunan produk' },
  flash: { en: 'Flash sale', ar: 'عرض خاطف', id: 'Flash sale' },
  pinned: { en: 'Pinned', ar: 'مثبّت', id: 'Disematkan' },
  pin: { en: 'Pin', ar: 'تثبيت', id: 'Sematkan' },
  unpin: { en: 'Unpin', ar: 'إلغاء التثبيت', id: 'Lepas sematan' },
  pause: { en: 'Pause', ar: 'إيقاف مؤقت', id: 'Jeda' },
  paused: { en: 'Paused', ar: 'متوقف مؤقتًا', id: 'Dijeda' },
  resume: { en: 'Resume', ar: 'استئناف', id: 'Lanjutkan' },
  draft: { en: 'Draft', ar: 'مسودة', id: 'Draf' },
  countdown: { en: 'Countdown', ar: 'عدّ تنازلي', id: 'Hitung mundur' },
  all_reserved: {
    en: 'All reserved',
    ar: 'محجوز كله',
    id: 'Semua direservasi',
  },
  sold_out: { en: 'Sold out', ar: 'نفدت الكمية', id: 'Stok habis' },
  ended: { en: 'Ended', ar: 'انتهى', id: 'Berakhir' },
  stock: { en: 'Stock', ar: 'المخزون', id: 'Stok' },
  stock_alert: { en: 'Notify me', ar: 'أعلمني', id: 'Beri tahu saya' },
  orders: { en: 'Orders', ar: 'الطلبات', id: 'Pesanan' },
  sales: { en: 'Sales', ar: 'المبيعات', id: 'Penjualan' },
  viewers: { en: 'Viewers', ar: 'المشاهدون', id: 'Penonton' },
  viewers_peak: {
    en: 'Peak viewers',
    ar: 'ذروة المشاهدين',
    id: 'Puncak penonton',
  },
  messages: { en: 'Messages', ar: 'الرسائل', id: 'Pesan' },
  likes: { en: 'Likes', ar: 'الإعجابات', id: 'Suka' },
  chat: { en: 'Chat', ar: 'الدردشة', id: 'Obrolan' },
  slow_mode: { en: 'Slow mode', ar: 'الوضع البطيء', id: 'Mode lambat' },
  notice: { en: 'Notice', ar: 'إعلان', id: 'Pengumuman' },
  review_queue: {
    en: 'Review queue',
    ar: 'قائمة المراجعة',
    id: 'Antrean tinjauan',
  },
  audit_log: { en: 'Audit log', ar: 'سجل التدقيق', id: 'Log audit' },
  blocklist: {
    en: 'Blocked words',
    ar: 'الكلمات المحجوبة',
    id: 'Kata terlarang',
  },
  muted: { en: 'Muted', ar: 'المكتومون', id: 'Dibisukan' },
  unmute: { en: 'Unmute', ar: 'إلغاء الكتم', id: 'Bunyikan' },
  ban: { en: 'Ban', ar: 'حظر', id: 'Blokir' },
  unban: { en: 'Unban', ar: 'إلغاء الحظر', id: 'Buka blokir' },
  host: { en: 'Host', ar: 'المقدّم', id: 'Host' },
  moderator: { en: 'Moderator', ar: 'مشرف', id: 'Moderator' },
  producer: { en: 'Producer', ar: 'منسّق البيع', id: 'Produser' },
  analyst: { en: 'Analyst', ar: 'محلّل', id: 'Analis' },
  team: { en: 'Team', ar: 'الفريق', id: 'Tim' },
  rehearsal: { en: 'Rehearsal', ar: 'بروفة', id: 'Gladi bersih' },
  report: { en: 'Report', ar: 'التقرير', id: 'Laporan' },
  activity: { en: 'Activity', ar: 'النشاط', id: 'Aktivitas' },
  share: { en: 'Share', ar: 'مشاركة', id: 'Bagikan' },
  cancel: { en: 'Cancel', ar: 'إلغاء', id: 'Batal' },
  close: { en: 'Close', ar: 'إغلاق', id: 'Tutup' },
  save: { en: 'Save', ar: 'حفظ', id: 'Simpan' },
  try_again: { en: 'Try again', ar: 'إعادة المحاولة', id: 'Coba lagi' },
  sign_in: { en: 'Sign in', ar: 'تسجيل الدخول', id: 'Masuk' },
};

/**
 * All terms in one language.
 * @param {'en' | 'ar' | 'id'} lang
 * @returns {ReturnType<typeof viewerTermsIn> & Record<keyof typeof TERMS, string>}
 */
export function termsIn(lang) {
  const pairs = Object.entries(TERMS).map(([key, term]) => [key, term[lang]]);
  return { ...viewerTermsIn(lang), .../** @type {Record<keyof typeof TERMS, string>} */ (Object.fromEntries(pairs)) };
}

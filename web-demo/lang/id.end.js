// Indonesian: the end of a show.

export default {
  'end.title': 'Siaran telah berakhir',
  'end.cancelled': 'Siaran dibatalkan',
  'end.sorry': '{name} membatalkannya. Tidak ada biaya yang ditagih.',
  'end.thanks': '{name} berterima kasih sudah menonton.',
  'end.next': 'Siaran berikutnya',
  'end.live': 'Sedang live',
  'end.watch': 'Tonton',
  'end.see': 'Lihat siaran',
  'end.products': 'Produk di siaran ini',
  'end.shop': 'Semua siaran',
};

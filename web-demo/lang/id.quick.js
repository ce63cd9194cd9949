// Indonesian: the texts of quick items.

export default {
  'quick.title': 'Produk cepat',
  'quick.quantity': 'Jumlah',
  'quick.sell': 'Jual sekarang',
  'quick.later':
    'Produk ini mendapat nomor berikutnya di siaran ini. Lengkapi judul dan teksnya nanti di meja penjual.',
  'quick.on_sale': '#{number} sedang dijual',
};

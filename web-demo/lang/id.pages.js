// Bahasa Indonesia: the texts of small pages: orders, sign-in, policies, and an address that leads nowhere.

export default {
  'orders.none': 'Belum ada pesanan',
  'orders.none_more': 'Barang yang Anda beli di siaran muncul di sini.',
  'order.link_only': 'Tautan ini menampilkan satu pesanan.',
  'orders.sign_in': 'Masuk untuk melihat pesanan Anda',
  'orders.back': 'Kembali ke pesanan saya',
  'oidc.given_up': 'Anda belum masuk: proses dihentikan di halaman lain.',
  'oidc.nothing': 'Tidak ada apa-apa di sini. Mulailah dari halaman tempat Anda ingin masuk.',
  'oidc.back': 'Kembali',
  'not_found.title': 'Halaman ini tidak ada',
  'not_found.about': 'Tautannya mungkin salah ketik, atau halamannya sudah dihapus.',
  'policy.none': 'Toko belum menulis halaman ini.',
  'error.no_such_policy': 'Toko belum menulis kebijakan ini.',
};

// The texts of the card form, of saved cards, and of the way to the page of another provider.
export default {
  'payment.card': 'Kartu',
  'payment.card.more': 'Data kartu dikirim ke Stripe. Toko tidak pernah melihatnya.',
  'payment.page': 'Kartu atau dompet digital',
  'payment.page.more': 'Di halaman penyedia pembayaran.',
  'payment.page.back':
    'Anda membayar di halaman penyedia pembayaran lalu kembali ke sini. Toko tidak pernah melihat kartu Anda.',
  'payment.own_tab': 'Buka toko di tab tersendiri untuk membayar dengan kartu',
  'card.loading': 'Memuat formulir kartu…',
  'error.card_form_unreachable': 'Formulir kartu tidak dapat dimuat. Periksa koneksi Anda, atau pemblokir skrip.',
  'error.card_incomplete': 'Periksa isian formulir kartu Anda.',
  'card.express': 'Bayar dengan dompet digital',
  'card.express_address': 'Paket dikirim ke alamat di bawah, bukan ke alamat di dompet digital Anda.',
  'error.wallet_failed':
    'Dompet digital Anda tidak membayar, dan tidak ada yang ditagih. Coba lagi, atau bayar dengan cara lain.',
  'card.saved': 'Kartu tersimpan',
  'card.ending': '{brand} berakhiran {last4}',
  'card.expires': 'Berlaku hingga {date}',
  'card.expired': 'Kedaluwarsa {date}',
  'card.another': 'Kartu lain',
  'card.save': 'Simpan kartu ini untuk lain kali',
  'card.save_more':
    'Stripe yang menyimpannya. Anda dapat menghapusnya kapan saja lewat menu akun, di “Kartu tersimpan”.',
  'card.manage': 'Kelola kartu tersimpan',
  'card.about': 'Stripe menyimpan kartu ini, dan toko hanya tahu yang Anda lihat di sini.',
  'card.remove': 'Hapus',
  'card.remove_title': 'Hapus kartu',
  'card.remove_sure': '{name} tidak dapat lagi dipakai untuk membayar di sini dengan sekali ketuk.',
  'card.none': 'Belum ada kartu tersimpan. Anda dapat menyimpannya saat membayar.',
  'error.no_such_card': 'Kartu ini tidak tersimpan lagi. Tidak ada yang ditagih. Bayarlah dengan kartu lain.',
};

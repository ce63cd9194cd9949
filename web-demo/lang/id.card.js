// The texts of the card form, and of the way to the page of another provider.
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
};

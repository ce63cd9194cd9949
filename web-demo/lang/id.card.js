// The texts of the card form.
export default {
  'payment.card': 'Kartu',
  'payment.card.more': 'Data kartu dikirim ke Stripe. Toko tidak pernah melihatnya.',
  'payment.own_tab': 'Buka toko di tab tersendiri untuk membayar dengan kartu',
  'card.loading': 'Memuat formulir kartu…',
  'error.card_form_unreachable': 'Formulir kartu tidak dapat dimuat. Periksa koneksi Anda, atau pemblokir skrip.',
  'error.card_incomplete': 'Periksa isian formulir kartu Anda.',
};

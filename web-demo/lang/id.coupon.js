// Bahasa Indonesia: the texts of coupons in the checkout.

export default {
  'coupon.have': 'Tambahkan kode kupon',
  'coupon.code': 'Kode kupon',
  'coupon.apply': 'Pakai',
  'coupon.remove': 'Hapus',
  'coupon.remove_code': 'Hapus kupon {code}',
  'coupon.saved': 'Anda hemat {amount}',
  'coupon.minimum':
    'Kupon ini untuk pesanan senilai {amount} atau lebih. Hanya barang yang dicakup kupon yang dihitung.',
  'coupon.claim': 'Ambil',
  'coupon.claimed': 'Sudah diambil',
  'coupon.kept': 'Kupon ini milik Anda: potongannya dihitung saat membayar selama masih ada.',
  'coupon.off': 'Potongan {value}',
  'coupon.off_from': 'mulai {amount}',
  'error.coupon_unknown': 'Kode ini tidak kami kenali. Periksa penulisannya.',
  'error.coupon_not_started': 'Kupon ini belum bisa dipakai.',
  'error.coupon_ended': 'Kupon ini sudah berakhir.',
  'error.coupon_used_up':
    'Kupon ini sudah habis. Coba lagi nanti: jika pembeli lain tidak membayar, Anda bisa memakainya.',
  'error.coupon_person_limit': 'Anda sudah memakai kupon ini.',
  'error.coupon_other_show': 'Kupon ini untuk siaran lain.',
  'error.coupon_products': 'Kupon ini bukan untuk barang dalam pesanan ini.',
  'error.coupon_minimum': 'Nilai barang kurang dari syarat kupon ini.',
  'error.coupon_currency': 'Kupon ini untuk mata uang lain.',
};

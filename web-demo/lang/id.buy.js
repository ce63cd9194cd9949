// Bahasa Indonesia: signing in, holding, paying.

export default {
  // product
  product: 'Produk', qty: 'Jumlah', 'qty.less': 'Kurangi satu', 'qty.more': 'Tambah satu', 'qty.limit': 'maks. {n} per pembeli',
  'product.hold': 'Simpan dan bayar · {amount}', 'product.hold_line': 'Disimpan untuk Anda {n} menit selama membayar. Tidak ada tagihan sebelumnya.',

  // order
  checkout: 'Pesanan Anda', 'order.placing': 'Menyimpan untuk Anda…', 'order.checking': 'Jawaban hilang. Kami bertanya lagi dengan pesanan yang sama, Anda tidak akan membeli dua kali.',
  'order.place': 'Anda nomor {n}', 'order.place_short': 'no. {n}', 'order.held': 'Disimpan untuk Anda', 'order.held_for': 'Disimpan untuk Anda selama', 'order.held_chip': 'Disimpan untuk Anda, no. {n}', 'order.qty': '× {n}',
  'order.pay': 'Bayar {amount}', 'order.cancel': 'Kembalikan', 'order.capturing': 'Pembayaran berlangsung…', 'order.paid': 'Lunas. Ini milik Anda!',
  'order.expired': 'Waktu simpan habis', 'order.expired_more': 'Barang dijual kembali. Tidak ada tagihan.', 'order.cancelled': 'Pesanan dibatalkan', 'order.no_charge': 'Tidak ada tagihan.',
  'order.capture_failed': 'Pembayaran gagal, pesanan dibatalkan', 'order.refunded': 'Dana dikembalikan', 'order.back': 'Kembali ke siaran', 'order.finish': 'Bayar',
  'order.unknown': 'Toko tidak dapat dihubungi, jadi belum pasti barang disimpan untuk Anda.', 'order.check': 'Periksa lagi', 'order.not_placed': 'Pesanan terakhir Anda tidak tercatat. Tidak ada tagihan.', 'order.show_mine': 'Lihat pesanan saya',
  'payment.title': 'Pembayaran uji', 'payment.ok': 'Berhasil', 'payment.ok.more': 'langsung lunas', 'payment.declined': 'Ditolak', 'payment.declined.more': 'tetap disimpan, coba yang lain',
  'payment.slow': 'Lambat', 'payment.slow.more': 'butuh dua detik', 'payment.capture_fails': 'Gagal di akhir', 'payment.capture_fails.more': 'pesanan dibatalkan',
  'status.held': 'Disimpan', 'status.capturing': 'Dibayar', 'status.paid': 'Lunas', 'status.expired': 'Kedaluwarsa', 'status.cancelled': 'Dibatalkan', 'status.refunded': 'Dikembalikan',
  'say.held': 'Disimpan untuk Anda. Anda nomor {n}.', 'say.paid': 'Lunas. Anda nomor {n}.',

  // sign-in
  'signin.elsewhere': 'Masuk di toko dulu.',
  'signin.why': 'Pilih nama untuk ikut serta. Ini demo: tanpa kata sandi, tanpa surel.', 'signin.why_buy': 'Pilih nama, lalu barang disimpan untuk Anda. Ini demo: tidak ada tagihan.',
  'signin.why_host': 'Pilih nama yang dilihat penonton. Ini demo: tanpa kata sandi, tanpa surel.', 'signin.name': 'Nama Anda', 'signin.go': 'Ikut',

  // refusals
  'error.sold_out_for_now': 'Semua sedang dipesan. Sebagian bisa kembali dalam beberapa menit.', 'error.too_few_left': 'Tinggal {n}.',
  'error.buyer_limit': 'Anda sudah mengambil jumlah terbanyak per pembeli.', 'error.not_open': 'Sedang tidak dijual.', 'error.closed': 'Penjualan selesai.',
  'error.no_such_offer': 'Penawaran ini sudah tidak ada.', 'error.no_such_order': 'Pesanan itu tidak ada.', 'error.busy': 'Sangat ramai. Anda tidak ditagih, coba lagi.',
  'error.declined': 'Pembayaran ditolak. Barang masih disimpan untuk Anda.', 'error.needs_action': 'Bank Anda meminta konfirmasi pembayaran ini. Barang masih disimpan untuk Anda.', 'error.hold_expired': 'Waktu simpan habis. Tidak ada tagihan.', 'error.capture_failed': 'Pembayaran gagal dan pesanan dibatalkan. Tidak ada tagihan.',
  'error.not_yours': 'Pesanan ini bukan milik Anda.', 'error.already_paid': 'Sudah dibayar.',
  'error.key_reused': 'Pesanan ini sudah dikirim dengan isi lain.',
  'error.sold_out': 'Habis.', 'error.outcome_unknown': 'Belum ada jawaban.', 'error.timeout': 'Jawaban terlambat.', 'error.link_lost': 'Koneksi terputus.', 'error.offline': 'Anda tidak terhubung.', 'error.slow_mode': 'Mode lambat: tunggu {s} dtk.',
  'error.chat_budget': 'Terlalu banyak pesan sekaligus. Tunggu sebentar.', 'error.forbidden': 'Peran Anda tidak boleh melakukannya.', 'error.stream_ended': 'Siaran telah selesai.', 'error.bad_request': 'Ada yang tidak benar.', 'error.no_such_stream': 'Siaran itu tidak ada.', 'error.muted': 'Anda dibisukan.', 'error.banned': 'Anda dikeluarkan dari siaran ini.',

  // bag, bells and waiting
  'bag.all': 'Semua', 'bag.mine': 'Pesanan saya', 'bag.empty': 'Belum ada yang dijual. Barang pertama segera ditampilkan.', 'mine.empty': 'Pesanan Anda di siaran ini muncul di sini.', 'bag.sale': 'Dijual',
  'bag.search': 'Cari di tas', 'bag.nothing_found': 'Tidak ada barang dengan nama itu di tas.', 'bag.nothing_on_sale': 'Saat ini tidak ada yang bisa dibeli.',
  'bell.on': 'Kabari saya saat {offer} ditampilkan atau mulai dijual', 'bell.off': 'Jangan kabari saya tentang {offer}', 'bell.set': 'Kami kabari saat {offer} ditampilkan atau mulai dijual.',
  'wait.joined': 'Kami kabari saat {offer} kembali. Tidak disimpan: siapa cepat dia dapat.', 'wait.left': 'Anda tidak menunggu lagi.',
  'wait.honest': 'Semua sudah diambil. Jika ada yang kembali, Anda tahu di sini; tidak disimpan untuk Anda.', 'tell.back': 'Dijual lagi: {offer}. Cepat, tidak disimpan.',
  'tell.shown': 'Sedang ditampilkan: {offer}', 'tell.open': 'Mulai dijual: {offer}', 'tell.started': '{show} sudah mulai', 'tell.keep_open': 'Biarkan halaman ini terbuka.',
  'remind.set': 'Kami kabari saat siaran mulai.',

  // share
  'share.copied': 'Tautan disalin', 'share.by_hand': 'Salin tautan ini untuk membagikan siaran.', 'share.link': 'Tautan siaran', 'share.copy': 'Salin tautan', 'share.more': 'Bagikan lewat…',
  'share.qr': 'Kode QR tautan', 'share.scan': 'Arahkan kamera ponsel ke sini.',

  // one's own orders
  'orders.all': 'Semua pesanan saya', 'orders.none': 'Belum ada pesanan', 'orders.none_more': 'Yang Anda beli di siaran tercatat di sini.', 'orders.who': 'Masuk untuk melihat pesanan',
  'orders.back': 'Kembali ke pesanan saya', 'signin.why_orders': 'Pakai nama saat membeli. Ini demo: pesanan milik sesi di tab ini.', 'signin.why_wait': 'Pilih nama, lalu kami kabari saat ada yang kembali.',
  'order.again': 'Coba lagi', 'order.history': 'Riwayat', 'order.total': 'Total', 'product.variant': 'Varian', 'step.held': 'Disimpan untuk Anda', 'step.declined': 'Pembayaran ditolak', 'step.paid': 'Lunas',
  'step.expired': 'Waktu simpan habis', 'step.cancelled': 'Dikembalikan', 'step.capture_failed': 'Pembayaran gagal', 'step.refund_asked': 'Pengembalian dana diminta', 'step.refunded': 'Dana dikembalikan',
  'step.refund_failed': 'Pengembalian dana gagal',

  // address
  'address.title': 'Kirim ke', 'address.name': 'Nama lengkap', 'address.line1': 'Jalan dan nomor', 'address.line2': 'Unit, lantai, patokan', 'address.city': 'Kota', 'address.region': 'Provinsi',
  'address.postcode': 'Kode pos', 'address.country': 'Negara', 'address.phone': 'Telepon', 'address.optional': '(opsional)', 'address.keep': 'Ingat di perangkat ini', 'address.missing': 'Wajib diisi.',
  'address.bad_phone': 'Nomor telepon terdiri dari 5 sampai 20 angka.', 'address.erase': 'Hapus alamat saya', 'address.erased': 'Alamat Anda dihapus.',

  // more refusals
  'error.wrong_status': 'Itu sudah tidak bisa.',
};

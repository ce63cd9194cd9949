// Indonesian: the texts of the keys of Stripe.

export default {
  'stripe.title': 'Pembayaran kartu dengan Stripe',
  'stripe.about':
    'Dengan kunci akun Stripe Anda, pembeli membayar dengan kartu di halaman. Kunci disimpan terenkripsi dan tidak pernah ditampilkan lagi.',
  'stripe.mode.live': 'Pembeli bisa membayar dengan kartu, dengan uang sungguhan.',
  'stripe.mode.test':
    'Kunci yang dipakai adalah kunci uji: tidak ada uang yang ditarik, dan pesanan yang dibayar dengan kartu uji dihitung lunas.',
  'stripe.mode.none': 'Belum ada kunci, jadi tidak ada yang bisa membayar dengan kartu.',
  'stripe.fixed.given':
    'Server ini dijalankan dengan kunci Stripe (--stripe-key-file), dan kunci itu yang dipakai. Untuk mengisinya di sini, jalankan tanpa kunci itu.',
  'stripe.fixed.other_provider':
    'Server ini dijalankan dengan penyedia pembayaran lain (--payments), dan itulah yang dipakai.',
  'stripe.fixed.no_base_url':
    'Server ini tidak tahu alamat publiknya, tempat bank mengembalikan pembeli. Operatornya memberikannya dengan --base-url.',
  'stripe.fixed.no_secrets_key':
    'Server ini tidak punya kunci untuk mengenkripsi, jadi kunci tidak bisa diisi di sini. Operatornya memberikan satu dengan --secrets-key-file, atau kuncinya sendiri dengan --stripe-key-file.',
  'stripe.key': 'Kunci terbatas, atau kunci rahasia',
  'stripe.key_hint':
    'Di dasbor Stripe, di Developers, API keys. Terbaik: kunci terbatas dengan hanya hak yang disebut di buku petunjuk.',
  'stripe.publishable_key': 'Kunci publik (publishable key)',
  'stripe.publishable_key_hint': 'Dari halaman yang sama. Ini bukan rahasia: formulir kartu di halaman memakainya.',
  'stripe.webhook_secret': 'Rahasia tanda tangan endpoint webhook',
  'stripe.webhook_secret_hint': 'Buat dulu endpoint di Stripe, dengan alamat di bawah.',
  'stripe.set_by': 'diisi oleh {name} pada {at}.',
  'stripe.kept': 'Kosongkan untuk tetap memakainya.',
  'stripe.webhook_url': 'Alamat untuk endpoint webhook',
  'stripe.webhook_url_hint': 'Salin ke dasbor Stripe. Buku petunjuk menyebut event yang harus dipilih.',
  'stripe.check': 'Periksa',
  'stripe.works.live': 'Stripe menerima kunci ini. Kunci ini menarik uang sungguhan.',
  'stripe.works.test': 'Stripe menerima kunci ini. Kunci ini untuk uji coba: tidak ada uang yang ditarik.',
  'stripe.other_account': 'Kunci akun lain',
  'stripe.other_account_about':
    'Kunci ini milik akun atau mode lain, bukan milik pembayaran yang sudah ada di toko. Pesanan yang sudah dibayar hanya bisa dikembalikan dananya di dasbor akun itu.',
  'stripe.saved': 'Kunci disimpan, dan dipakai dalam dua detik.',
  'stripe.remove': 'Hapus',
  'stripe.remove_title': 'Hapus kunci Stripe',
  'stripe.remove_about':
    'Tidak ada lagi yang bisa membayar dengan kartu, dan dana pesanan tidak bisa dikembalikan di sini. Pembayaran yang sedang berjalan menunggu sampai kunci akun yang sama diisi lagi.',
  'stripe.remove_open': {
    other: '{n} pembayaran atau pengembalian dana belum selesai.',
  },
  'stripe.open': {
    other: '{n} pembayaran atau pengembalian dana yang dimulai dengan kunci yang dihapus belum selesai.',
  },
  'stripe.open_same':
    'Isi kunci akun yang sama: kunci itu langsung diterima, lalu toko menanyakan hasil masing-masing ke Stripe. Pembeli yang pembayarannya berhasil menerima pesanannya atau uangnya kembali.',
  'stripe.open_other': 'Kunci akun lain diterima setelah semuanya selesai.',
  'stripe.open_until':
    'Kunci akun lain diterima setelah semuanya selesai, paling lambat {at}. Saat itu Stripe sudah melepas setiap jumlah yang hanya diblokir di kartu.',
  'stripe.removed': 'Kunci dihapus.',
  'stripe.other_field': 'Ini kunci untuk kolom lain: {is}.',
  'stripe.begins': 'Harus diawali {with}.',
  'stripe.needs_right':
    'Kunci terbatas ini kurang satu hak yang diperlukan pembayaran: {right}. Tambahkan di dasbor Stripe.',
  'error.stripe_key_kind': 'Ini bukan jenis kunci untuk kolom ini.',
  'error.stripe_key_mode': 'Satu kunci untuk uji coba, yang lain untuk uang sungguhan. Pakai dua yang sejenis.',
  'error.stripe_key_rejected': 'Stripe tidak menerima kunci ini: salah ketik, dicabut, atau sudah kedaluwarsa.',
  'error.stripe_key_rights': 'Kunci terbatas ini kurang satu hak yang diperlukan pembayaran.',
  'error.stripe_key_account': 'Kunci publik milik akun lain, bukan akun kunci rahasia.',
  'error.stripe_unreachable':
    'Stripe tidak menjawab, jadi kunci tidak bisa diperiksa. Tidak ada yang disimpan. Coba lagi.',
  'error.stripe_stand_in':
    'Server ini memakai server uji sebagai pengganti Stripe (--stripe-api-base atau --stripe-element-js), jadi tidak menerima kunci live.',
  'error.stripe_account_changes':
    'Toko dibayar dengan akun atau mode lain. Hapus kuncinya jika masih terpasang, tunggu setengah menit, lalu isi yang ini.',
  'error.stripe_payments_open':
    'Pembayaran atau pengembalian dana dari akun sebelumnya belum selesai, dan tidak bisa diselesaikan dengan kunci ini. Isi dulu kunci akun itu: kunci itu langsung diterima, lalu toko mengetahui hasil masing-masing.',
  'error.stripe_keys_fixed': 'Kunci Stripe tidak bisa diisi di sini.',
};

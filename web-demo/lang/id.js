// Bahasa Indonesia: what every page and the viewer's page need.

export default {
  // everywhere
  home: 'Semua siaran', close: 'Tutup', cancel: 'Batal', language: 'Bahasa', viewers: 'penonton', stage: 'Siaran',
  save: 'Simpan', loading: 'Memuat…',

  // viewer: bars and stage
  'badge.live': 'Langsung', 'badge.scheduled': 'Segera', 'badge.ended': 'Selesai',
  'stage.live': 'Mengudara', 'stage.starts': 'Mulai {at}', 'stage.soon': 'Segera mulai', 'stage.ended': 'Siaran telah selesai. Terima kasih sudah datang!',
  'video.open': 'Buka video', share: 'Bagikan',
  'sound.on': 'Nyalakan suara', 'sound.off': 'Matikan suara', heart: 'Kirim hati', send: 'Kirim',
  'conn.connecting': 'Menghubungkan…', 'conn.reconnecting': 'Koneksi terputus. Menghubungkan lagi…', 'conn.catching_up': 'Mengejar yang terlewat…', 'conn.live': 'Anda kembali langsung',
  'conn.delayed': 'Obrolan terhenti sebentar dan angka bisa terlambat. Belanja tetap bisa.',
  'conn.closed.4501': 'Sesi masuk Anda berakhir.', 'conn.closed.4502': 'Anda dikeluarkan dari siaran ini.', 'conn.closed.4509': 'Siaran ini kini terbuka di jendela lain.',
  'conn.closed.other': 'Koneksi ditutup.', 'conn.again.4501': 'Masuk', 'conn.again.4509': 'Tonton di sini', 'conn.again.4500': 'Muat ulang',

  // viewer: chat
  chat: 'Obrolan', 'chat.hint': 'Tulis sesuatu…', 'chat.new': '{n} pesan baru', 'chat.gap': 'Beberapa pesan terlewat',
  'chat.removed': 'Pesan dihapus', 'chat.sign_in': 'Masuk untuk mengobrol', 'chat.sign_in_elsewhere': 'Masuk di toko untuk mengobrol', 'chat.ended': 'Siaran telah selesai',
  'chat.muted': 'Anda dibisukan', 'chat.muted_until': 'Anda dibisukan sampai {at}', 'chat.off': 'Obrolan tertutup untuk Anda',
  'chat.unsure': 'Belum pasti pesan Anda terkirim. Pesan masih ada di kolom.',
  'role.host': 'Host', 'role.moderator': 'Mod', 'role.producer': 'Tim', 'role.admin': 'Tim',
  'note.purchased': '{name} membeli {offer}', 'note.purchased_many': '{name} membeli {n} × {offer}', 'note.pinned': 'Sedang ditampilkan: {offer}',
  'note.sale_opened': 'Mulai dijual: {offer}', 'note.sale_closed': 'Penjualan selesai: {offer}', 'note.announced': 'Pengumuman: {text}',
  'note.muted': '{name} dibisukan', 'note.banned': '{name} dikeluarkan', 'note.started': 'Siaran dimulai', 'note.ended': 'Siaran selesai',

  // viewer: offers
  pinned: 'Ditampilkan', bag: 'Tas',
  buy: 'Beli',
  'offer.left': 'Sisa {n}', 'offer.low': 'Tinggal {n}', 'offer.units': '{n} buah', 'offer.paused': 'Jeda sebentar', 'offer.paused_short': 'Jeda',
  'offer.all_held': 'Dipesan semua, bisa kembali', 'offer.held_short': 'Dipesan', 'offer.sold_out': 'Habis', 'offer.ended': 'Penjualan selesai', 'offer.ended_short': 'Selesai',
  'offer.soon': 'Segera', 'offer.before': 'sebelumnya: ', 'flag.soon': 'Mulai dalam', 'flag.flash': 'Obral kilat',

  // waiting, reminders, one's own orders
  captions: 'Teks', 'remind.me': 'Ingatkan saya', 'remind.on': 'Kami beri tahu', 'remind.calendar': 'Tambah ke kalender', 'orders.mine': 'Pesanan saya', 'wait.join': 'Kabari saya', 'wait.on': 'Menunggu',
  'wait.people': '{n} menunggu',

  'signin.title': 'Masuk', 'say.sold_out': 'Habis: {offer}',

  // refusals; those that only a buyer or talker meets are in the .buy file
  'error.unknown': 'Tidak berhasil. Coba lagi.', 'error.network': 'Toko tidak dapat dihubungi.',
  'error.unavailable': 'Toko belum bisa menjawab.',
  'error.sign_in': 'Silakan masuk.',
  'error.token_expired': 'Sesi masuk Anda berakhir. Anda tetap bisa menonton.',
  'problem.title': 'Tidak ada apa-apa di sini', 'problem.no_stream': 'Siaran ini tidak ada, atau sudah tidak ada.', 'problem.away': 'Toko tidak dapat dihubungi.', 'problem.again': 'Coba lagi',

  // moderation, as the one moderated reads it
  'chat.held': 'Menunggu ditinjau', 'chat.hidden': 'Pesan Anda tidak ditampilkan', 'chat.pinned': 'Komentar yang disematkan', 'chat.team_only': 'Obrolan sedang ditutup', 'chat.muted_why': 'Anda dibisukan: {reason}',
  'told.delete': 'Pesan Anda dihapus: {reason}', 'told.hide': 'Pesan Anda tidak ditampilkan: {reason}', 'told.mute': 'Anda dibisukan: {reason}', 'told.unmute': 'Anda boleh menulis lagi: {reason}', 'told.ban': 'Anda dikeluarkan: {reason}', 'told.unban': 'Anda boleh kembali: {reason}',
  'error.chat_off': 'Sekarang hanya tim yang boleh menulis.', 'error.word_refused': 'Ada kata yang tidak diinginkan di sini.', 'error.link_refused': 'Tautan tidak diinginkan di sini.', 'error.too_long': 'Paling banyak 200 karakter.', 'error.token_invalid': 'Masuk Anda tidak berlaku. Silakan masuk lagi.', 'error.flood': 'Terlalu banyak tanda yang sama.', 'error.repeated': 'Anda baru saja mengatakannya.', 'error.queue_full': 'Terlalu banyak pesan menunggu ditinjau. Coba sebentar lagi.',
};

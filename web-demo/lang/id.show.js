// Indonesian: the form of a show, and what else a host does with it.

export default {
  'form.show_title_ar': 'Judul dalam bahasa Arab (opsional)',
  'form.title_id': 'Judul dalam bahasa Indonesia (opsional)',
  'form.tags': 'Tag (opsional)',
  'form.tags_hint': 'Pisahkan dengan koma, paling banyak sepuluh.',
  'form.tags_max': 'Paling banyak {n} tag.',
  'form.video_live': 'Penonton langsung pindah ke alamat baru.',
  'form.whep': 'Alamat dengan jeda pendek (WHEP, opsional)',
  'form.whep_hint': 'Untuk video yang sama. Bila tidak bisa diputar, penonton melihat alamat di atas.',
  'form.replay': 'Alamat rekaman (opsional)',
  'form.replay_hint':
    'Berkas video (MP4) atau playlist HLS. Halaman siaran memutarnya, dan Anda bisa menjual produk di dalamnya.',
  'form.replay_begin': 'Siaran dimulai dalam rekaman pada',
  'form.replay_begin_hint':
    'Menit dan detik, seperti 0:12: obrolan dan produk mengikutinya. Dengan minus, rekaman dimulai setelah siaran.',
  'form.replay_time': 'Tulis waktu seperti 0:12 atau 1:02:03.',
  'host.more_products': 'Produk lainnya',
  'host.none_found': 'Tidak ditemukan. Coba kata lain.',
  'host.no_products': 'Belum ada produk.',
  'show.edit': 'Ubah siaran',
  'show.copy': 'Salin siaran',
  'show.keep': 'Pertahankan siaran',
  'show.cancel': 'Batalkan siaran',
  'show.more': 'Lainnya untuk siaran ini',
  'show.saved': 'Tersimpan. Penonton langsung melihatnya.',
  'show.outdated':
    'Orang lain sudah mengubah siaran ini. Isian yang tidak Anda ubah kini berisi nilai yang baru. Periksa lalu simpan lagi.',
  'show.copy_about': 'Susunan produk ikut sebagai draf, dengan unit dari stok.',
  'show.copied': 'Siaran disalin',
  'show.copy_skipped': { other: '{n} penawaran tidak ikut: stoknya kosong, atau produknya diarsipkan.' },
  'show.cancel_sure':
    '{title} tidak akan berlangsung. Halamannya tetap ada dan mengatakannya, dan unit penawarannya kembali ke stok. Ini tidak bisa dibatalkan.',
  'show.cancelled': 'Siaran dibatalkan.',
  'show.weekly': 'Setiap minggu',
  'show.weeks': 'Jumlah siaran',
  'show.weekly_about':
    'Pada jam ini menurut zona waktu toko, juga saat jam berubah. Siaran dimulai tanpa susunan produk.',
  'show.series_made': { other: '{n} siaran dijadwalkan.' },
  'host.shop_page': 'Halaman toko',
  'show.publish_key': 'Kunci untuk encoder',
  'publish_key.title': 'Kunci untuk encoder',
  'publish_key.about':
    'Dengan kunci ini encoder masuk ke server media yang bertanya kepada toko ini. Kunci hanya berlaku untuk siaran ini, sampai siaran berakhir.',
  'publish_key.none': 'Sekarang tidak ada kunci yang berlaku.',
  'publish_key.made': 'Kunci terbaru dibuat {at} dan berlaku sampai {until}.',
  'publish_key.used': 'Terakhir dipakai {at}.',
  'publish_key.unused': 'Belum pernah dipakai.',
  'publish_key.make': 'Buat kunci',
  'publish_key.replace': 'Ganti kunci',
  'publish_key.replace_sure':
    'Mulai sekarang setiap kunci yang dibuat untuk siaran ini ditolak. Encoder yang sedang mengudara tetap tersambung sampai menyambung lagi: saat itu ia perlu kunci baru.',
  'publish_key.key': 'Kunci untuk encoder',
  'publish_key.once': 'Salin kunci sekarang. Kunci hanya ditampilkan sekali ini.',
  'publish_key.copy': 'Salin',
  'publish_key.end': 'Cabut kunci',
  'publish_key.end_sure':
    'Mulai sekarang setiap kunci yang dibuat untuk siaran ini ditolak. Encoder yang sedang mengudara tetap tersambung sampai menyambung lagi.',
  'publish_key.ended': 'Kunci telah dicabut.',
  'error.price_needs_host': 'Hanya host yang dapat menetapkan harga 0.',
  'host.shows_empty': 'Belum ada siaran. Buat siaran pertama Anda.',
  'host.your_shows': 'Siaran Anda',
};

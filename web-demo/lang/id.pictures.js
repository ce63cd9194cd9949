// Indonesian: the texts of the field for pictures. It loads with the forms that have one.

export default {
  'pictures.label': 'Gambar (opsional)',
  'pictures.choose': 'Pilih gambar',
  'pictures.choose_one': 'Pilih satu gambar',
  'pictures.camera': 'Ambil foto',
  'pictures.hint':
    'JPEG, PNG, atau WebP, hingga 15 MB. Bisa juga diseret atau ditempel di sini, atau masukkan alamatnya.',
  'pictures.address': 'Alamat gambar',
  'pictures.picture': 'Gambar',
  'pictures.alt': 'Deskripsi gambar',
  'pictures.first': 'Tampil pertama',
  'pictures.move': 'Pindahkan gambar ini. Tombol panah juga memindahkannya.',
  'pictures.moved': 'Sekarang nomor {n}.',
  'pictures.remove': 'Hapus gambar ini',
  'pictures.focus': 'Bagian yang tetap terlihat',
  'pictures.focus_hint': 'Pilih titik yang tetap terlihat saat gambar dipotong. Tombol panah juga memindahkannya.',
  'pictures.sending': 'Mengunggah {name}',
  'pictures.done': '{name} sudah diunggah.',
  'pictures.wait': 'Tunggu sampai semua gambar selesai diunggah.',
  'pictures.failed': 'Tidak semua gambar terunggah. Coba lagi, atau hapus gambarnya.',
  'pictures.kind': 'File {kind} tidak bisa ditampilkan. Gunakan JPEG, PNG, atau WebP.',
  'pictures.max': {
    other: 'Paling banyak {n} gambar.',
  },

  'error.no_such_picture': 'Gambar ini sudah tidak ada.',
  'error.picture_kind': 'File ini bukan gambar yang bisa ditampilkan. Gunakan JPEG, PNG, atau WebP.',
  'error.picture_too_large': 'Ukuran gambar paling besar 15 MB.',
  'error.picture_pixels': 'Gambar ini terlalu besar. Gunakan gambar hingga 50 megapiksel.',
  'error.picture_damaged': 'File ini rusak. Simpan ulang, lalu coba lagi.',
  'error.pictures_off': 'Toko ini tidak bisa menyimpan gambar. Gunakan alamat gambar saja.',
};

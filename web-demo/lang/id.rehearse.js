// Bahasa Indonesia: the rehearsal.

export default {
  'rehearse': 'Latihan', 'rehearse.about': 'Penonton simulasi datang, mengobrol, dan membeli di ruang yang dibuat khusus. Tidak ada orang lain yang melihatnya, dan stok Anda tidak tersentuh.',
  'rehearse.viewers': 'Penonton, 1 sampai 200', 'rehearse.seconds': 'Detik, 24 sampai 90', 'rehearse.begin': 'Mulai latihan', 'rehearse.stop': 'Hentikan latihan',
  'rehearse.time': 'Waktu', 'rehearse.connected': 'Terhubung', 'rehearse.messages': 'Pesan', 'rehearse.orders': 'Pesanan ditahan', 'rehearse.delivery': 'Sampai p99', 'rehearse.s': '{n} dtk', 'rehearse.ms': '{n} md', 'rehearse.of': '{n} dari {all}',
  'rehearse.is_running': 'Latihan sedang berjalan.', 'rehearse.is_passed': 'Lulus: semua pemeriksaan berhasil.', 'rehearse.is_failed': 'Gagal.', 'rehearse.is_stopped': 'Dihentikan.',
};

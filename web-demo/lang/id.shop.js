// Bahasa Indonesia: the shop's front.

export default {
  'shop.live': 'Sedang siaran', 'shop.coming': 'Segera tayang', 'shop.ended': 'Siaran lalu', 'shop.host': 'bersama {name}',
  'shop.empty': 'Belum ada siaran di jadwal.', 'shop.empty_more': 'Begitu siaran dimulai, akan muncul di sini dengan sendirinya.',
  'shop.tagline': 'Langsung dari pasar: lihat, tanya, bawa pulang.', 'shop.watching': '{n} menonton',
  'shop.for_hosts': 'Konsol pembawa acara', 'shop.developers': 'Untuk pengembang',
  'shop.watch': 'Tonton',
  'shop.search': 'Cari siaran dan barang', 'shop.categories': 'Kategori', 'shop.all': 'Semua', 'shop.on_sale': 'Dijual di siaran', 'shop.nothing': 'Tidak ada yang cocok.', 'shop.clear': 'Tampilkan semua',
  'category.kitchen': 'Dapur', 'category.wear': 'Busana', 'category.home': 'Rumah', 'category.food': 'Makanan', 'category.beauty': 'Kecantikan',
};

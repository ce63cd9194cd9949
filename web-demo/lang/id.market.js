// Bahasa Indonesia: the texts of the countries to which a shop delivers, for a buyer whose address is elsewhere.

export default {
  'address.elsewhere': 'Alamat tersimpan Anda ada di {country}, jadi tidak kami isikan.',
  'address.delivers_to': 'Toko ini mengirim ke: {countries}.',
  'address.delivers_to_many': { other: 'Toko ini mengirim ke {n} negara: pilih negara Anda dari daftar.' },
  'error.country_not_served': 'Toko ini tidak mengirim ke negara ini. Anda belum ditagih.',
};

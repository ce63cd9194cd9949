// Indonesian: the recording of a show.

export default {
  'replay.badge': 'Rekaman',
  'replay.play': 'Putar',
  'replay.pause': 'Jeda',
  'replay.position': 'Posisi dalam rekaman',
  'replay.chapters': 'Produk dalam rekaman ini',
  'replay.elsewhere': 'Dijual sekarang di {show}',
  'replay.chat_gone': 'Obrolan siaran ini tidak lagi disimpan.',
  'replay.chat_partly': 'Bagian lama dari obrolan siaran ini tidak lagi disimpan.',
};

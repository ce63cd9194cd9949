// Indonesian: the options of the video.

export default {
  'video.quality': 'Kualitas',
  'video.auto': 'Otomatis',
  'video.pip': 'Gambar dalam gambar',
  'video.one_quality': 'Siaran ini memiliki satu kualitas.',
};

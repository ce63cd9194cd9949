// English: the options of the video.

export default {
  'video.quality': 'Quality',
  'video.auto': 'Automatic',
  'video.pip': 'Picture in picture',
  'video.one_quality': 'This show has one quality.',
};

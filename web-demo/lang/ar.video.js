// Arabic: the options of the video.

export default {
  'video.quality': 'الجودة',
  'video.auto': 'تلقائية',
  'video.pip': 'صورة داخل صورة',
  'video.one_quality': 'لهذا البث جودة واحدة.',
};

// English: the recording of a show.

export default {
  'replay.badge': 'Recording',
  'replay.play': 'Play',
  'replay.pause': 'Pause',
  'replay.position': 'Position in the recording',
  'replay.chapters': 'Products in this recording',
  'replay.elsewhere': 'On sale now in {show}',
  'replay.chat_gone': 'The chat of this show is no longer kept.',
  'replay.chat_partly': 'The older part of the chat of this show is no longer kept.',
};

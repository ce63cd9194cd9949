// English: the texts of the field for pictures. It loads with the forms that have one.

export default {
  'pictures.label': 'Pictures (optional)',
  'pictures.choose': 'Choose pictures',
  'pictures.choose_one': 'Choose a picture',
  'pictures.camera': 'Take a photo',
  'pictures.hint': 'JPEG, PNG or WebP, up to 15 MB. You can also drop or paste them here, or enter an address.',
  'pictures.address': 'Address of a picture',
  'pictures.picture': 'Picture',
  'pictures.alt': 'Description of the picture',
  'pictures.first': 'Shown first',
  'pictures.move': 'Move this picture. The arrow keys move it too.',
  'pictures.moved': 'Now number {n}.',
  'pictures.remove': 'Remove this picture',
  'pictures.focus': 'What stays visible',
  'pictures.focus_hint': 'Select the point that stays visible when the picture is cropped. The arrow keys move it too.',
  'pictures.sending': 'Uploading {name}',
  'pictures.done': '{name} was uploaded.',
  'pictures.wait': 'Wait until the pictures are uploaded.',
  'pictures.failed': 'Not every picture was uploaded. Try again, or remove it.',
  'pictures.kind': '{kind} files can’t be shown. Use JPEG, PNG or WebP.',
  'pictures.max': {
    one: 'Up to {n} picture.',
    other: 'Up to {n} pictures.',
  },

  'error.no_such_picture': 'This picture no longer exists.',
  'error.picture_kind': 'This file isn’t a picture we can show. Use JPEG, PNG or WebP.',
  'error.picture_too_large': 'A picture can have up to 15 MB.',
  'error.picture_pixels': 'This picture is too large. Use one with up to 50 megapixels.',
  'error.picture_damaged': 'This file is damaged. Save it again and try once more.',
  'error.pictures_off': 'This shop can’t keep pictures. Use the address of a picture instead.',
};

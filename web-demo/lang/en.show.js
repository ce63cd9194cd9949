// English: the form of a show, and what else a host does with it.

export default {
  'form.show_title_ar': 'Title in Arabic (optional)',
  'form.title_id': 'Title in Indonesian (optional)',
  'form.tags': 'Tags (optional)',
  'form.tags_hint': 'Separate them by commas, at most ten.',
  'form.tags_max': 'At most {n} tags.',
  'form.video_live': 'Viewers switch to a new address at once.',
  'form.whep': 'Address with low delay (WHEP, optional)',
  'form.whep_hint': 'Of the same video. Where it does not play, viewers see the address above.',
  'form.replay': 'Address of the recording (optional)',
  'form.replay_hint':
    'A video file (MP4) or an HLS playlist. The page of the show plays it, and you can put products on sale in it.',
  'form.replay_begin': 'The show begins in the recording at',
  'form.replay_begin_hint':
    'Minutes and seconds, like 0:12: chat and products follow it. With a minus the recording begins after the show.',
  'form.replay_time': 'Write a time like 0:12 or 1:02:03.',
  'host.more_products': 'More products',
  'host.none_found': 'Nothing found. Try other words.',
  'host.no_products': 'There are no products yet.',
  'show.edit': 'Edit show',
  'show.copy': 'Copy show',
  'show.keep': 'Keep show',
  'show.cancel': 'Cancel show',
  'show.more': 'More for this show',
  'show.saved': 'Saved. Viewers see it now.',
  'show.outdated':
    'Somebody has changed this show meanwhile. Fields that you did not touch have the newer values. Check them and save again.',
  'show.copy_about': 'The line-up is copied as drafts, with units from the stock.',
  'show.copied': 'The show is copied',
  'show.copy_skipped': {
    one: '{n} offer was left out: nothing is in stock, or its product is archived.',
    other: '{n} offers were left out: nothing is in stock, or their products are archived.',
  },
  'show.cancel_sure':
    '{title} will not take place. Its page stays and says so, and its units return to the stock. This cannot be undone.',
  'show.cancelled': 'The show is cancelled.',
  'show.weekly': 'Every week',
  'show.weeks': 'How many shows',
  'show.weekly_about':
    'At this time of day in the time zone of the shop, also when the clocks change. The shows start without a line-up.',
  'show.series_made': { one: '{n} show was planned.', other: '{n} shows were planned.' },
  'host.shop_page': 'Shop page',
  'show.publish_key': 'Key for the encoder',
  'publish_key.title': 'Key for the encoder',
  'publish_key.about':
    'With it the encoder signs in at a media server that asks this shop. It is valid for this show only, until the show has ended.',
  'publish_key.none': 'No key is valid now.',
  'publish_key.made': 'The newest key was made {at} and works until {until}.',
  'publish_key.used': 'Last used {at}.',
  'publish_key.unused': 'It was not used yet.',
  'publish_key.make': 'Make a key',
  'publish_key.replace': 'Replace the key',
  'publish_key.replace_sure':
    'Every key that was made for this show is refused from now on. An encoder that is on air stays connected until it connects again: then it needs the new key.',
  'publish_key.key': 'Key for the encoder',
  'publish_key.once': 'Copy the key now. It is shown only this once.',
  'publish_key.copy': 'Copy',
  'publish_key.end': 'Revoke the key',
  'publish_key.end_sure':
    'Every key that was made for this show is refused from now on. An encoder that is on air stays connected until it connects again.',
  'publish_key.ended': 'The key is revoked.',
  'error.price_needs_host': 'Only a host can set the price to 0.',
  'host.shows_empty': 'No shows yet. Create your first one.',
  'host.your_shows': 'Your shows',
};

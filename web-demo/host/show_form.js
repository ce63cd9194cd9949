// The form of a show: a new one, a correction, or a copy at another time.

import { call, patch, post } from '../api.js';
import { route } from '../base.js';
import { refusalText, t, titleOf } from '../i18n.js';
import { showUnreachable } from '../lazy.js';
import { pictureField, shownAddress } from '../picture_field.js';
import { confirmDialog, openSheet, withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';
import { addOnce } from './add_once.js';
import { anyText, field, localTime, readAll, required, showFieldError, webAddress, wholeNumber } from './form.js';
import { positionText, replayFields, replayRequest } from './replay_fields.js';
import { guardTyped, markSetByCode } from './unsaved.js';

/** @import { Field } from './form.js' */
/** @import { Refusal, Stream } from '../types.d.ts' */

const TITLE_MAX = 120;
const TAGS_MAX = 10;

/** @param {string} text a time of `datetime-local` */
const anyTime = (text) => (text ? new Date(text).getTime() : null);

/** @param {string} text words behind commas, in any script */
function tagList(text) {
  const tags = text
    .split(/[,،;]/)
    .map((tag) => tag.trim())
    .filter(Boolean);
  if (tags.length > TAGS_MAX) throw new Error(t('form.tags_max', { n: TAGS_MAX }));
  return [...new Set(tags)];
}

/**
 * The texts of the fields for a show.
 * @param {Partial<Stream>} show
 * @returns {Record<string, string>}
 */
const textsOf = (show) => ({
  title: show.title ?? '',
  title_ar: show.titles?.ar ?? '',
  title_id: show.titles?.id ?? '',
  scheduled_at: show.scheduled_at ? localTime(show.scheduled_at) : '',
  video: show.video ?? '',
  whep: show.whep ?? '',
  replay: show.replay ?? '',
  replay_started_at: positionText(show),
  tags: (show.tags ?? []).join(', '),
});

/** @param {Partial<Stream>} show */
function showFields(show) {
  const value = textsOf(show);
  return {
    title: field({
      label: t('form.show_title'),
      test: 'show-title-field',
      check: required,
      maxLength: TITLE_MAX,
      value: value.title,
    }),
    title_ar: field({
      label: t('form.show_title_ar'),
      test: 'show-title-ar',
      check: anyText,
      maxLength: TITLE_MAX,
      value: value.title_ar,
    }),
    title_id: field({
      label: t('form.title_id'),
      test: 'show-title-id',
      check: anyText,
      maxLength: TITLE_MAX,
      value: value.title_id,
    }),
    scheduled_at: field({
      label: t('form.when'),
      test: 'show-when',
      type: 'datetime-local',
      dir: 'ltr',
      hint: t('form.when_hint'),
      check: anyTime,
      value: value.scheduled_at,
      disabled: Boolean(show.status && show.status !== 'scheduled'),
    }),
    video: field({
      label: t('form.video'),
      test: 'show-video',
      check: webAddress,
      dir: 'ltr',
      hint: t(show.status === 'live' ? 'form.video_live' : 'form.video_hint'),
      value: value.video,
    }),
    whep: field({
      label: t('form.whep'),
      test: 'show-whep',
      check: webAddress,
      dir: 'ltr',
      hint: t('form.whep_hint'),
      value: value.whep,
    }),
    ...replayFields(show, value),
    poster: pictureField({
      label: t('form.poster'),
      test: 'show-poster',
      single: true,
      value: show.poster ? [{ address: show.poster, alt: null, focus: null }] : [],
    }),
    tags: field({
      label: t('form.tags'),
      test: 'show-tags',
      check: tagList,
      hint: t('form.tags_hint'),
      value: value.tags,
    }),
  };
}

/**
 * @param {Record<string, any>} values of the fields
 * @param {Partial<Stream>} show
 */
function requestOf(values, show) {
  const { title, title_ar, title_id, scheduled_at, video, whep, poster, tags } = values;
  const others = Object.entries(show.titles ?? {}).filter(([code]) => code !== 'ar' && code !== 'id');
  const typed = Object.entries({ ar: title_ar, id: title_id }).filter(([, text]) => text);
  return {
    title,
    titles: Object.fromEntries([...others, ...typed]),
    scheduled_at,
    video,
    whep,
    poster: shownAddress(poster),
    tags,
    ...replayRequest(values, show),
  };
}

/** @param {Stream} show */
export const openPublishKey = (show) =>
  import('./publish_key.js').then(({ publishKeySheet }) => publishKeySheet(show)).catch(showUnreachable);

/**
 * The key for the encoder belongs to the addresses of the video. It is no field: it is made and shown at once.
 * @param {Partial<Stream>} show
 */
function keyButton(show) {
  if (!show.id || show.status === 'ended') return [];
  const open = () => openPublishKey(/** @type {Stream} */ (show));
  return [el('button.slim', { type: 'button', 'data-test': 'show-publish-key', onclick: open }, t('show.publish_key'))];
}

/**
 * @param {{ title: string, save: string, test: string, show: Partial<Stream>,
 *   send: (form: ReturnType<typeof requestOf>, fields: Record<string, Field<any>>) => Promise<void> }} options
 */
function formSheet({ title, save, test, show, send }) {
  const fields = showFields(show);
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'show-alert' });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    const text = refusal.code === 'outdated' ? t('show.outdated') : refusalText(refusal);
    if (showFieldError(fields, refusal, text)) return;
    setText(alert, text);
    setVisible(alert, true);
  };
  const submit = el('button.primary.wide', { type: 'submit', 'data-test': test }, save);
  const press = (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    const values = readAll(fields);
    if (values) withBusy(submit, () => send(requestOf(values, show), fields), showRefusal);
  };
  const nodes = Object.values(fields).flatMap((one) =>
    one === fields.whep ? [one.node, ...keyButton(show)] : [one.node],
  );
  const form = el('form', { noValidate: true, onsubmit: press }, nodes, alert, el('div.actions', {}, submit));
  const dialog = guardTyped(openSheet(form, { title, test: 'show-form', className: 'side' }));
  fields.title.control.focus();
  return dialog;
}

/** @param {string} id */
const openConsole = (id) => location.assign(route(`/host?stream=${encodeURIComponent(id)}`));

export function newShowSheet() {
  const dialog = formSheet({
    title: t('host.new_show'),
    save: t('host.new_show'),
    test: 'show-create',
    show: {},
    send: async (form) => {
      const given = Object.fromEntries(Object.entries(form).filter(([, value]) => value !== null));
      /** @type {Stream} */
      const stream = await post('/streams', given);
      dialog.close();
      openConsole(stream.id);
    },
  });
}

/**
 * Corrects a show. When somebody else saved first, what they changed and the reader did not is taken over, and what was typed stays.
 * @param {Stream} show
 * @param {(changed: Stream) => void} onsaved
 */
export function editShowSheet(show, onsaved) {
  let base = show;
  const dialog = formSheet({
    title: t('show.edit'),
    save: t('save'),
    test: 'show-save',
    show,
    send: async ({ scheduled_at, poster, ...form }, fields) => {
      const time = base.status === 'scheduled' ? { scheduled_at } : {};
      // A poster that the reader did not touch stays as somebody else set it.
      const picture = poster === show.poster ? {} : { poster };
      try {
        /** @type {Stream} */
        const changed = await patch(`/streams/${base.id}`, { version: base.version, ...form, ...time, ...picture });
        dialog.close();
        toast(t('show.saved'), { kind: 'good', test: 'show-saved' });
        onsaved(changed);
      } catch (error) {
        const newer = /** @type {any} */ (error).detail?.current;
        if (newer) {
          takeOver(fields, base, newer);
          base = newer;
        }
        throw error;
      }
    },
  });
}

/**
 * @param {Record<string, Field<any>>} fields
 * @param {Stream} base
 * @param {Stream} newer
 */
function takeOver(fields, base, newer) {
  const [before, now] = [textsOf(base), textsOf(newer)];
  for (const [name, { control }] of Object.entries(fields)) {
    if (!(name in before) || control.value !== before[name]) continue;
    control.value = now[name];
    markSetByCode(control);
  }
}

/**
 * Copies a show with its line-up, at a time that the reader gives.
 * @param {Stream} show
 * @param {() => void} ondone after a series was made
 */
export function copyShowSheet(show, ondone) {
  const weekly = el('input', { type: 'checkbox', 'data-test': 'copy-weekly', onchange: () => paint() });
  const weeks = field({
    label: t('show.weeks'),
    test: 'copy-weeks',
    inputMode: 'numeric',
    value: 4,
    hint: t('show.weekly_about'),
    check: wholeNumber(1, 52),
  });
  const paint = () => setVisible(weeks.node, weekly.checked);
  paint();
  const time = field({
    label: t('form.when'),
    test: 'copy-when',
    type: 'datetime-local',
    dir: 'ltr',
    hint: t('form.when_hint'),
    check: anyTime,
  });
  const alert = el('p.alert', { role: 'alert', hidden: true });
  const fail = (/** @type {Refusal} */ refusal) => {
    if (showFieldError({ scheduled_at: time }, refusal, refusalText(refusal))) return;
    setText(alert, refusalText(refusal));
    setVisible(alert, true);
  };
  const submit = el('button.primary.wide', { type: 'submit', 'data-test': 'copy-save' }, t('show.copy'));
  const press = (/** @type {Event} */ event) => {
    event.preventDefault();
    const typed = time.read();
    if ('error' in typed) return;
    const number = weeks.read();
    if (weekly.checked && 'error' in number) return;
    if (weekly.checked && typed.value === null) return time.showError(t('form.required'));
    const body = typed.value === null ? {} : { scheduled_at: typed.value };
    const send = async () => {
      if (weekly.checked && 'value' in number) {
        const form = { first: time.control.value, count: number.value };
        await addOnce(`/streams/${show.id}/series`, form);
        dialog.close();
        toast(t('show.series_made', { n: number.value }), { kind: 'good', test: 'series-made' });
        return ondone();
      }
      /** @type {{ stream: Stream, copied: number, skipped: number }} */
      const { stream, skipped } = await addOnce(`/streams/${show.id}/copies`, body);
      dialog.close();
      if (!skipped) return openConsole(stream.id);
      const text = t('show.copy_skipped', { n: skipped });
      await confirmDialog({ title: t('show.copied'), text, yes: t('host.open_console') });
      return openConsole(stream.id);
    };
    withBusy(submit, send, fail);
  };
  const about = el('p', {}, el('bdi', {}, titleOf(show)), ` · ${t('show.copy_about')}`);
  const form = el(
    'form',
    { noValidate: true, onsubmit: press },
    about,
    time.node,
    el('label.choice', {}, weekly, el('span', {}, t('show.weekly'))),
    weeks.node,
    alert,
    el('div.actions', {}, submit),
  );
  const dialog = guardTyped(openSheet(form, { title: t('show.copy'), test: 'copy-form', className: 'small' }));
}

/**
 * Cancels a show, after a question.
 * @param {Stream} show
 * @param {() => void} ondone
 */
export async function cancelShow(show, ondone) {
  const [title, text] = [t('show.cancel'), t('show.cancel_sure', { title: titleOf(show) })];
  if (!(await confirmDialog({ title, text, yes: title, no: t('show.keep'), danger: true }))) return;
  const send = async () => {
    await call('POST', `/streams/${show.id}/cancel`, { body: {} });
    toast(t('show.cancelled'), { test: 'show-cancelled' });
    ondone();
  };
  await withBusy(null, send, (refusal) => toast(refusalText(refusal), { kind: 'warn' }));
}

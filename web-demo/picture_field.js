// The field for the pictures of a product, or the one picture of a show: chosen, dropped, pasted, photographed, or by address. Several are
// uploaded at once; each has its own progress, error, description and focus.

import { asRefusal } from './api.js';
import { makeDraggable } from './host/drag.js';
import { pictureAddress } from './host/form.js';
import { load, refusalText, t } from './i18n.js';
import { FocusSheet } from './picture_focus.js';
import { uploadPicture } from './picture_upload.js';
import { el, icon, ICONS, picture, speak, style } from './ui.js';

/** @import { Field } from './host/form.js' */

await Promise.all([load('pictures'), style('picture_field')]);

Object.assign(ICONS, {
  camera: 'M4 8h4l1.5-2.5h5L16 8h4v11H4zM12 10a3.2 3.2 0 1 1 0 6.4 3.2 3.2 0 0 1 0-6.4z',
  target: 'M12 4v4M12 16v4M4 12h4M16 12h4M12 10.5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3z',
  grip: 'M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01',
});

const KINDS = 'image/jpeg,image/png,image/webp';
const GALLERY_MAX = 12;
const ALT_MAX = 200;
/** Uploads of one field at the same time. */
const AT_ONCE = 2;

/**
 * A picture as the server takes it.
 * @typedef {{ address: string, alt: string | null, focus: { x: number, y: number } | null }} Picture
 */

/**
 * One row: a picture that is there, or a file on its way.
 * @typedef {{ id: string, picture: Picture | null, file: File | null, state: 'waiting' | 'sending' | 'failed' | 'there',
 *   abort: AbortController, node: HTMLElement, paint: () => void, part: number, error: string, canRetry: boolean }} Row
 */

let ids = 0;

/**
 * @param {{ label: string, test: string, single?: boolean, value?: Picture[] }} options `single`: one picture without a description
 * @returns {Field<Picture[]> & { peek: () => unknown[] }}
 */
export function pictureField({ label, test, single = false, value = [] }) {
  const max = single ? 1 : GALLERY_MAX;
  const id = `pictures-${++ids}`;
  /** @type {Row[]} */
  const rows = [];
  const list = el('ol.gallery', {
    'data-test': `${test}-list`,
    'aria-label': label,
  });
  const error = el('p.field-error', {
    id: `${id}-error`,
    role: 'alert',
    'data-test': `error-${test}`,
    hidden: true,
  });
  /** @param {string} text */
  const showError = (text) => {
    error.hidden = !text;
    error.textContent = text;
  };

  const paint = () => {
    list.replaceChildren(...rows.map((row) => row.node));
    for (const row of rows) row.paint();
    list.hidden = !rows.length;
    buttons.hidden = rows.length >= max;
  };

  /** @param {Row} row */
  const remove = (row) => {
    row.abort.abort();
    const at = rows.indexOf(row);
    rows.splice(at, 1);
    paint();
    startNext();
    const next = rows[Math.min(at, rows.length - 1)];
    (next?.node.querySelector('button') ?? choose).focus();
  };

  const startNext = () => {
    const free = AT_ONCE - rows.filter((row) => row.state === 'sending').length;
    for (const row of rows.filter((one) => one.state === 'waiting').slice(0, Math.max(0, free))) {
      send(row);
    }
  };

  /** @param {Row} row */
  const send = async (row) => {
    if (!row.file) return;
    row.state = 'sending';
    row.abort = new AbortController();
    row.paint();
    try {
      const onprogress = (/** @type {number} */ part) => {
        row.part = part;
        row.paint();
      };
      const { address } = await uploadPicture(row.file, {
        onprogress,
        signal: row.abort.signal,
      });
      row.picture = { address, alt: null, focus: null };
      row.state = 'there';
      speak(t('pictures.done', { name: row.file.name }));
    } catch (fault) {
      if (row.abort.signal.aborted) return;
      row.state = 'failed';
      row.error = uploadError(fault);
      // The same file would be refused again.
      row.canRetry = !asRefusal(fault).code.startsWith('picture_');
    }
    row.paint();
    if (!error.hidden) read();
    startNext();
  };

  /** @param {Iterable<File>} files */
  const addFiles = (files) => {
    showError('');
    for (const file of files) {
      if (rows.length >= max) {
        showError(t('pictures.max', { n: max }));
        break;
      }
      rows.push(makeRow({ file, picture: null }));
    }
    paint();
    startNext();
  };

  /** @param {{ file: File | null, picture: Picture | null }} of @returns {Row} */
  const makeRow = (of) => {
    const node = el('li.gallery-row', {
      'data-id': `${id}-${++ids}`,
      'data-test': 'gallery-row',
    });
    /** @type {Row} */
    const row = {
      id: node.dataset.id ?? '',
      ...of,
      state: of.picture ? 'there' : 'waiting',
      abort: new AbortController(),
      node,
      part: 0,
      error: '',
      canRetry: false,
      paint: () => paintRow(row, { single, isFirst: rows[0] === row, remove, retry }),
    };
    return row;
  };

  /** @param {Row} row */
  const retry = (row) => {
    row.state = 'waiting';
    row.paint();
    startNext();
  };

  const picker = el('input', {
    type: 'file',
    accept: KINDS,
    multiple: !single,
    hidden: true,
    'data-test': `${test}-file`,
  });
  const camera = el('input', {
    type: 'file',
    accept: KINDS,
    hidden: true,
    capture: 'environment',
    'data-test': `${test}-camera`,
  });
  for (const input of [picker, camera]) {
    input.addEventListener('change', () => {
      addFiles([...(input.files ?? [])]);
      input.value = ''; // The same file can be chosen again.
    });
  }
  const chooseText = single ? t('pictures.choose_one') : t('pictures.choose');
  const choose = el(
    'button.slim',
    {
      type: 'button',
      'data-test': `${test}-choose`,
      onclick: () => picker.click(),
    },
    icon('plus'),
    chooseText,
  );
  const photo = {
    type: 'button',
    'data-test': `${test}-photo`,
    onclick: () => camera.click(),
  };
  const address = el('input', {
    id,
    type: 'text',
    dir: 'ltr',
    inputMode: 'url',
    placeholder: 'https://',
    'data-test': test,
    'aria-label': t('pictures.address'),
    'aria-describedby': `${id}-error`,
  });

  /** Takes the address that was typed. False: it cannot be one. */
  const takeAddress = () => {
    const typed = address.value.trim();
    if (!typed) return true;
    const fault = addressFault(typed);
    if (fault) {
      showError(fault);
      address.setAttribute('aria-invalid', 'true');
      return false;
    }
    address.removeAttribute('aria-invalid');
    if (rows.length >= max) {
      showError(t('pictures.max', { n: max }));
      return false;
    }
    address.value = '';
    showError('');
    rows.push(
      makeRow({
        file: null,
        picture: { address: typed, alt: null, focus: null },
      }),
    );
    paint();
    return true;
  };
  address.addEventListener('change', takeAddress);
  address.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !address.value.trim()) return;
    event.preventDefault();
    takeAddress();
  });

  const buttons = el(
    'div.picture-drop',
    {},
    el(
      'div.row-actions',
      {},
      choose,
      el('button.slim.ghost.on-touch', photo, icon('camera'), t('pictures.camera')),
      picker,
      camera,
    ),
    el('small', {}, t('pictures.hint')),
    address,
  );
  const node = el(
    'div.field.picture-field',
    { 'data-test': `${test}-field` },
    el('label', { for: id }, label),
    list,
    buttons,
    error,
  );

  makeDraggable(list, {
    onmove: (moved, before) => move(rows, moved, before, paint),
    onstep: (moved, by) => step(rows, moved, by, paint),
  });
  acceptFiles(node, addFiles);
  rows.push(...value.map((one) => makeRow({ file: null, picture: one })));
  paint();

  /** @returns {{ value: Picture[] } | { error: true }} */
  const read = () => {
    if (!takeAddress()) return { error: true };
    const states = new Set(rows.map((row) => row.state));
    const fault = states.has('failed')
      ? t('pictures.failed')
      : states.has('waiting') || states.has('sending')
        ? t('pictures.wait')
        : '';
    showError(fault);
    if (fault) return { error: true };
    return { value: rows.flatMap((row) => (row.picture ? [row.picture] : [])) };
  };
  /** What is in the field now, without judging it: for a form that has to know whether it was changed. */
  const peek = () => rows.map((row) => row.picture ?? row.state);
  return { node, control: address, read, showError, peek };
}

/**
 * The address of one picture as a show takes it, with its focus; null: none.
 * @param {Picture[]} pictures
 */
export function shownAddress([first]) {
  if (!first) return null;
  const { address, focus } = first;
  return focus ? `${address}#focus=${focus.x},${focus.y}` : address;
}

/**
 * What is wrong with an address; empty: nothing.
 * @param {string} text
 */
function addressFault(text) {
  try {
    pictureAddress(text);
    return '';
  } catch (fault) {
    return fault instanceof Error ? fault.message : String(fault);
  }
}

/** @param {unknown} fault */
function uploadError(fault) {
  const refusal = asRefusal(fault);
  const kind = refusal.detail?.file_kind;
  return kind ? t('pictures.kind', { kind: String(kind) }) : refusalText(refusal);
}

/**
 * @param {Row} row
 * @param {{ single: boolean, isFirst: boolean, remove: (row: Row) => void, retry: (row: Row) => void }} context
 */
function paintRow(row, { single, isFirst, remove, retry }) {
  const name = row.file?.name ?? t('pictures.picture');
  const { picture: of } = row;
  row.node.dataset.state = row.state;
  if (row.state === 'sending' && row.node.querySelector('progress')) {
    const bar = /** @type {HTMLProgressElement} */ (row.node.querySelector('progress'));
    bar.value = row.part;
    return;
  }
  const cancelLabel = row.state === 'there' ? t('pictures.remove') : t('cancel');
  const drop = {
    type: 'button',
    'aria-label': cancelLabel,
    'data-test': 'gallery-remove',
    onclick: () => remove(row),
  };
  const away = el('button.round.ghost', drop, icon(row.state === 'there' ? 'bin' : 'close'));
  if (!of) {
    const again = {
      type: 'button',
      'data-test': 'gallery-retry',
      onclick: () => retry(row),
    };
    const isFailed = row.state === 'failed';
    row.node.replaceChildren(
      el(
        'span.gallery-text',
        {},
        el('bdi', {}, name),
        isFailed
          ? el('span.field-error', { role: 'alert', 'data-test': 'gallery-error' }, row.error)
          : el('progress', {
              max: 1,
              value: row.part,
              'aria-label': t('pictures.sending', { name }),
            }),
      ),
      isFailed && row.canRetry ? el('button.slim', again, t('try_again')) : '',
      away,
    );
    return;
  }
  const repaint = () => paintRow(row, { single, isFirst, remove, retry });
  const focus = () =>
    new FocusSheet(of, (point) => {
      of.focus = point;
      repaint();
    });
  const focusButton = {
    type: 'button',
    'aria-label': t('pictures.focus'),
    title: t('pictures.focus'),
    'data-test': 'gallery-focus',
    onclick: focus,
  };
  const alt = el('input', {
    type: 'text',
    dir: 'auto',
    value: of.alt ?? '',
    maxLength: ALT_MAX,
    placeholder: t('pictures.alt'),
    'aria-label': t('pictures.alt'),
    'data-test': 'gallery-alt',
    oninput: () => (of.alt = alt.value.trim() || null),
  });
  const handle = {
    type: 'button',
    'aria-label': t('pictures.move'),
    title: t('pictures.move'),
    'data-test': 'gallery-handle',
  };
  row.node.replaceChildren(
    single ? '' : el('button.round.ghost.handle', handle, icon('grip')),
    el('span.gallery-thumb', {}, picture(shownAddress([of]), { title: name })),
    single
      ? el('span.gallery-text', {}, el('bdi', {}, name))
      : el('span.gallery-text', {}, isFirst && el('small', {}, t('pictures.first')), alt),
    el('button.round.ghost', focusButton, icon('target')),
    away,
  );
}

/**
 * @param {Row[]} rows
 * @param {string} moved
 * @param {string | null} before
 * @param {() => void} paint
 */
function move(rows, moved, before, paint) {
  const at = rows.findIndex((row) => row.id === moved);
  if (at < 0) return;
  const [row] = rows.splice(at, 1);
  const to = before === null ? rows.length : rows.findIndex((one) => one.id === before);
  rows.splice(to < 0 ? rows.length : to, 0, row);
  paint();
  /** @type {HTMLElement | null} */ (row.node.querySelector('.handle'))?.focus();
}

/**
 * @param {Row[]} rows
 * @param {string} moved
 * @param {number} by
 * @param {() => void} paint
 */
function step(rows, moved, by, paint) {
  const at = rows.findIndex((row) => row.id === moved);
  const to = at + by;
  if (at < 0 || to < 0 || to >= rows.length) return;
  move(rows, moved, rows[by > 0 ? to + 1 : to]?.id ?? null, paint);
  speak(t('pictures.moved', { n: to + 1 }));
}

/**
 * Files that are dropped on the form around the field, or pasted while it is shown.
 * @param {HTMLElement} node
 * @param {(files: Iterable<File>) => void} addFiles
 */
function acceptFiles(node, addFiles) {
  /** @param {DataTransfer | null} data */
  const pictures = (data) => [...(data?.files ?? [])];
  const paste = (/** @type {ClipboardEvent} */ event) => {
    if (!node.isConnected) return document.removeEventListener('paste', paste);
    const files = pictures(event.clipboardData);
    if (!files.length || !node.closest('form')?.contains(document.activeElement)) {
      return;
    }
    event.preventDefault();
    addFiles(files);
  };
  document.addEventListener('paste', paste);
  node.addEventListener('dragover', (event) => {
    event.preventDefault();
    node.classList.add('drop');
  });
  node.addEventListener('dragleave', () => node.classList.remove('drop'));
  node.addEventListener('drop', (event) => {
    event.preventDefault();
    node.classList.remove('drop');
    addFiles(pictures(event.dataTransfer));
  });
}

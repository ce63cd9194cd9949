// A quick item: what the host holds into the camera, on sale and on the screen in a few seconds. A photo, a price, a quantity; the rest is
// completed at the desk later.

import { load, refusalText, t } from '../i18n.js';
import { uploadPicture } from '../picture_upload.js';
import { openSheet, withBusy } from '../sheet.js';
import { el, icon, ICONS, setText, setVisible, style, toast } from '../ui.js';
import { addOnce } from './add_once.js';
import { currencySymbol } from './catalogue_texts.js';
import { field, price, readAll, wholeNumber } from './form.js';
import { takesLater } from './pay_later.js';
import { keepSaleChoices, lastSaleChoices } from './sale_choices.js';
import { guardTyped } from './unsaved.js';

/** @import { Offer, Refusal, Shop, Stream } from '../types.d.ts' */

await Promise.all([load('quick'), load('pictures'), style('host/quick_item')]);

ICONS.camera ??= 'M4 8h4l1.5-2.5h5L16 8h4v11H4zM12 10a3.2 3.2 0 1 1 0 6.4 3.2 3.2 0 0 1 0-6.4z';

const UNITS_MAX = 10_000;

/**
 * @param {{ stream: Stream, shop: Shop, onmade: (offer: Offer) => void }} options
 */
export function quickItemSheet({ stream, shop, onmade }) {
  const fields = {
    price: field({
      label: t('form.price_label', { currency: currencySymbol(shop.currency) }),
      test: 'quick-price',
      check: price(shop.currency),
      inputMode: 'decimal',
    }),
    quantity: field({
      label: t('quick.quantity'),
      test: 'quick-quantity',
      check: wholeNumber(1, UNITS_MAX),
      inputMode: 'numeric',
      value: 1,
    }),
  };
  const photo = photoField();
  const later = laterBox(shop);
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'quick-alert' });
  /** @param {Refusal} refusal */
  const fail = (refusal) => {
    setText(alert, refusalText(refusal));
    setVisible(alert, true);
  };
  const submit = el('button.primary.wide', { type: 'submit', 'data-test': 'quick-sell' }, t('quick.sell'));
  const send = async () => {
    const values = readAll(fields);
    if (!values) return;
    later.keep();
    // The photo was sent while the price was typed.
    const image = await photo.address();
    const form = { ...values, ...(image && { image }), ...later.value() };
    /** @type {{ number: number, offer: Offer }} */
    const { number, offer } = await addOnce(`/streams/${stream.id}/quick-items`, form);
    dialog.close();
    onmade(offer);
    toast(t('quick.on_sale', { number }), { kind: 'good', test: 'quick-made' });
  };
  const press = (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    withBusy(submit, send, fail);
  };
  const form = el(
    'form.quick-item',
    { noValidate: true, onsubmit: press },
    photo.node,
    el('div.pair', {}, fields.price.node, fields.quantity.node),
    later.node,
    alert,
    submit,
    el('small', {}, t('quick.later')),
  );
  const dialog = guardTyped(openSheet(form, { title: t('quick.title'), test: 'quick-form', className: 'small' }));
  fields.price.control.focus();
  return dialog;
}

/**
 * Whether buyers can pay later, where the shop takes such payments. It begins with the last choice.
 * @param {Shop} shop
 */
function laterBox(shop) {
  const box = el('input', { type: 'checkbox', checked: lastSaleChoices().quick_later, 'data-test': 'quick-pay-later' });
  const texts = el('span', {}, el('b', {}, t('form.pay_later_yes')), el('small', {}, t('form.pay_later')));
  const isThere = takesLater(shop);
  return {
    node: el('label.choice', { hidden: !isThere }, box, texts),
    // What can be paid later is as for any regular offer.
    value: () => (isThere && !box.checked ? { pay_later: false } : {}),
    keep: () => isThere && keepSaleChoices({ quick_later: box.checked }),
  };
}

/** A photo that is uploaded as soon as it is taken. */
function photoField() {
  /** @type {Promise<string> | null} */
  let sending = null;
  let abort = new AbortController();
  const input = el('input', {
    type: 'file',
    accept: 'image/jpeg,image/png,image/webp',
    capture: 'environment',
    hidden: true,
    'data-test': 'quick-photo-file',
  });
  const shown = el('img', { alt: '', hidden: true });
  const progress = el('progress', { max: 1, value: 0, hidden: true, 'aria-label': t('pictures.camera') });
  const text = el('span', {}, t('pictures.camera'));
  const button = el(
    'button.quick-photo',
    { type: 'button', 'data-test': 'quick-photo', onclick: () => input.click() },
    icon('camera'),
    text,
    shown,
  );
  input.addEventListener('change', () => {
    const [file] = input.files ?? [];
    input.value = ''; // The same file can be taken again.
    if (!file) return;
    abort.abort();
    abort = new AbortController();
    // As a data address: the content security policy allows no pictures from blobs.
    const reader = new FileReader();
    reader.addEventListener('load', () => {
      shown.src = String(reader.result);
      setVisible(shown, true);
    });
    reader.readAsDataURL(file);
    setVisible(progress, true);
    const onprogress = (/** @type {number} */ part) => (progress.value = part);
    const sent = uploadPicture(file, { onprogress, signal: abort.signal }).then(({ address }) => address);
    sending = sent;
    // A fault is shown when the item is sold.
    sent.catch(() => {}).finally(() => sending === sent && setVisible(progress, false));
  });
  const node = el('div.quick-photo-field', {}, button, input, progress);
  return { node, address: () => sending };
}

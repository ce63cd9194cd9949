// The set-up of a new shop, in steps: the owner and the shop, the mail server, the first product, the first show. The link in the
// address signs the owner in with the first step; each step is saved by itself, so that nothing is lost and any later one can be skipped.

import { asRefusal, get, post, put } from './api.js';
import { route } from './base.js';
import { errorPage, messagePage } from './error_page.js';
import { languageSwitch, lang, load, refusalText, setDecimals, t, titleOf, translate } from './i18n.js';
import { addOnce } from './host/add_once.js';
import { anyText, field, price, readAll, required, showFieldError, wholeNumber } from './host/form.js';
import { emailAddress, optionalEmailAddress } from './admin/email_address.js';
import { mailForm } from './admin/mail_form.js';
import { marketOfNewShop } from './admin/market_form.js';
import { shopForm, shopRequest } from './admin/shop_form.js';
import { loadShop } from './load_shop.js';
import { pictureField, shownAddress } from './picture_field.js';
import { withBusy } from './sheet.js';
import { byId, el, fillIcons, setText, setVisible } from './ui.js';

/** @import { Identity, Product, ProductDetail, Refusal, SetupState, Shop, Stream } from './types.d.ts' */
/** @import { Field } from './host/form.js' */

const STEPS = 4;
const NAME_MAX = 40;
const TITLE_MAX = 120;
const STOCK_MAX = 1_000_000;

/** Behind `#`, so that it gets into no log of a server. */
const code = location.hash.slice(1);
const root = byId('setup');

await Promise.all([load('host'), load('buy'), load('desk'), load('staff')]);
translate();
fillIcons();
languageSwitch(byId('lang', HTMLSelectElement));
document.title = t('setup.title');
start().catch((error) => errorPage(asRefusal(error)));

async function start() {
  const [shop, me] = await Promise.all([loadShop(), /** @type {Promise<Identity>} */ (get('/session'))]);
  const isOwner = me.role === 'owner';
  if (!code) return isOwner ? mailStep(shop) : messagePage(t('setup.title'), t('setup.no_link'), false);
  try {
    /** @type {SetupState} */
    const state = await post('/setup/open', { code });
    return state.has_owner ? recoverStep(shop) : ownerStep(state);
  } catch (error) {
    const refusal = asRefusal(error);
    if (refusal.code !== 'setup_link_invalid') throw error;
    // The owner has come back to this page after the first step, in the same browser.
    if (isOwner) return mailStep(shop);
    messagePage(t('setup.title'), `${refusalText(refusal)} ${t('setup.no_link')}`, false);
  }
}

/**
 * One step: a form whose button saves it. Gives the function that shows a refusal in it.
 * @param {{
 *   number: number,
 *   title: string,
 *   about: string,
 *   nodes: import('./types.d.ts').Child[],
 *   fields: Record<string, Field<any>>,
 *   button: string,
 *   save: () => Promise<void> | null,
 *   skip?: () => unknown,
 * }} options `save` returns null where something is wrong, and has marked it
 */
function showStep({ number, title, about, nodes, fields, button, save, skip }) {
  const alert = el('p.alert', { role: 'alert', hidden: true, 'data-test': 'setup-alert' });
  /** @param {Refusal} refusal */
  const showRefusal = (refusal) => {
    const text = refusalText(refusal);
    const isShown = showFieldError(fields, refusal, text);
    setText(alert, text);
    setVisible(alert, !isShown);
  };
  const submit = el('button.primary', { type: 'submit', 'data-test': 'setup-next' }, button);
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    setVisible(alert, false);
    withBusy(submit, () => save() ?? undefined, showRefusal);
  };
  const later =
    skip && el('button.ghost', { type: 'button', 'data-test': 'setup-skip', onclick: skip }, t('setup.skip'));
  const heading = el('h2', { tabIndex: -1 }, title);
  const form = el(
    'form.setup-step',
    { noValidate: true, onsubmit: send, 'data-test': `step-${number}` },
    el('p.step-count', {}, t('setup.step', { n: number, of: STEPS })),
    heading,
    el('p.fine', {}, about),
    nodes,
    alert,
    el('div.actions', {}, later, submit),
  );
  root.replaceChildren(form);
  // A screen reader begins with the new step.
  if (number > 1) heading.focus();
  scrollTo(0, 0);
  return showRefusal;
}

/** @param {SetupState} state */
function ownerStep({ settings, has_products, can_send_email }) {
  const owner = {
    name: field({
      label: t('setup.name'),
      test: 'owner-name',
      check: required,
      maxLength: NAME_MAX,
      autocomplete: 'name',
    }),
    email: field({
      label: t('setup.email'),
      test: 'owner-email',
      check: can_send_email ? emailAddress : optionalEmailAddress,
      type: 'email',
      autocomplete: 'email',
      dir: 'ltr',
      hint: t('setup.email_hint'),
    }),
  };
  const isNew = !has_products;
  const market = marketOfNewShop(settings.market, isNew);
  const options = { canChangeCurrency: isNew, isNew, oncountry: market.follow };
  const { nodes, fields, ticked } = shopForm(settings, options);
  const save = () => {
    const [who, values] = [readAll(owner), readAll(fields)];
    const boxes = ticked();
    const served = who && values && boxes && market.read();
    if (!who || !values || !boxes || !served) {
      if (!who) root.querySelector('[aria-invalid]')?.scrollIntoView({ block: 'center' });
      return null;
    }
    const body = {
      code,
      owner: { name: who.name, email: who.email || null, lang },
      shop: { ...shopRequest(values, boxes, settings.titles), market: served },
    };
    return post('/setup', body).then(async () => {
      // The link is used up. A reload goes on with the next step.
      history.replaceState(null, '', location.pathname + location.search);
      await mailStep(await loadShop());
    });
  };
  showStep({
    number: 1,
    title: t('setup.owner'),
    about: t('setup.owner_about'),
    nodes: [owner.name.node, owner.email.node, el('h2', {}, t('setup.shop')), nodes, market.node],
    fields: { ...owner, ...fields },
    button: t('setup.next'),
    save,
  });
}

/** @param {Shop} shop */
async function mailStep(shop) {
  /** @type {Identity} */
  const { email } = await get('/session');
  /** @type {(refusal: Refusal) => void} */
  let show = () => {};
  const { nodes, fields, save, isOpen } = await mailForm({ email, showRefusal: (refusal) => show(refusal) });
  const next = () => productStep(shop);
  show = showStep({
    number: 2,
    title: t('mail_server.title'),
    about: t('mail_server.about'),
    nodes: [nodes, isOpen && el('p.fine', {}, t('mail_server.skip'))],
    fields,
    button: t(isOpen ? 'setup.next' : 'setup.go_on'),
    save: () => (isOpen ? (save()?.then(next) ?? null) : Promise.resolve(next())),
    skip: isOpen ? next : undefined,
  });
}

/** @param {Shop} shop */
function productStep(shop) {
  setDecimals(shop.currency, shop.decimals);
  const fields = {
    title: field({ label: t('setup.product_title'), test: 'product-title', check: required, maxLength: TITLE_MAX }),
    price: field({
      label: t('setup.price', { currency: shop.currency }),
      test: 'product-price',
      check: price(shop.currency),
      inputMode: 'decimal',
    }),
    stock: field({
      label: t('setup.stock'),
      test: 'product-stock',
      check: wholeNumber(0, STOCK_MAX),
      inputMode: 'numeric',
    }),
    pictures: pictureField({ label: t('setup.image'), test: 'product-image' }),
  };
  const save = () => {
    const values = readAll(fields);
    if (!values) return null;
    const { title, pictures, ...variant } = values;
    const body = { title, image: shownAddress(pictures), variants: [{ name: t('setup.variant'), ...variant }] };
    return addOnce('/products', body).then(async (product) => {
      const { id, version } = /** @type {ProductDetail} */ (product);
      // The product is there with its first picture; the others can be added again in the console.
      if (pictures.length) await put(`/products/${id}/pictures`, { version, pictures }).catch(asRefusal);
      showStepForShow(/** @type {Product} */ (product));
    });
  };
  showStep({
    number: 3,
    title: t('setup.product'),
    about: t('setup.product_about'),
    nodes: [fields.title.node, el('div.pair', {}, fields.price.node, fields.stock.node), fields.pictures.node],
    fields,
    button: t('setup.next'),
    save,
    skip: () => showStepForShow(null),
  });
}

/** @param {Product | null} product goes on sale in the show, as a draft */
function showStepForShow(product) {
  const fields = {
    title: field({ label: t('setup.show_title'), test: 'show-title', check: required, maxLength: TITLE_MAX }),
    scheduled_at: field({
      label: t('setup.when'),
      test: 'show-when',
      type: 'datetime-local',
      dir: 'ltr',
      check: (text) => (anyText(text) ? new Date(text).getTime() : null),
    }),
  };
  /** A show that was made before something else failed is not made again. @type {Stream | null} */
  let show = null;
  const create = async (/** @type {{ title: string, scheduled_at: number | null }} */ { title, scheduled_at }) => {
    show ??= /** @type {Stream} */ (await post('/streams', { title, ...(scheduled_at ? { scheduled_at } : {}) }));
    const variant = product?.variants[0];
    if (variant?.stock) {
      const offer = { variant: variant.id, kind: 'regular', price: variant.price, quantity: variant.stock };
      await addOnce(`/streams/${show.id}/offers`, offer);
    }
    location.assign(route(`/host?stream=${encodeURIComponent(show.id)}`));
  };
  showStep({
    number: 4,
    title: t('setup.show'),
    about: t('setup.show_about'),
    nodes: [fields.title.node, fields.scheduled_at.node],
    fields,
    button: t('setup.finish'),
    save: () => {
      const values = readAll(fields);
      return values && create(values);
    },
    skip: () => location.assign(route('/admin')),
  });
}

/** The link of an owner who cannot sign in. @param {Shop} shop */
function recoverStep(shop) {
  const alert = el('p.alert', { role: 'alert', hidden: true });
  const recover = async () => {
    await post('/setup', { code });
    location.assign(route('/admin'));
  };
  const onclick = () =>
    withBusy(button, recover, (refusal) => {
      setText(alert, refusalText(refusal));
      setVisible(alert, true);
    });
  const button = el('button.primary', { type: 'button', 'data-test': 'setup-recover', onclick }, t('setup.continue'));
  root.replaceChildren(
    el(
      'div.setup-step',
      {},
      el('h2', {}, t('setup.recover')),
      el('p', {}, t('setup.recover_about', { shop: titleOf(shop) })),
      alert,
      el('div.actions', {}, button),
    ),
  );
}

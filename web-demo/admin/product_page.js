// One product: every field with its mistakes beside it. What somebody else changed meanwhile is shown, and nothing that was typed is
// lost.

import { asRefusal, call, get, put } from '../api.js';
import { addOnce } from '../host/add_once.js';
import { readAll, showFieldError } from '../host/form.js';
import { refusalText, t, titleOf } from '../i18n.js';
import { withBusy } from '../sheet.js';
import { el, setText, setVisible, toast } from '../ui.js';
import { keepFocus } from '../keep_focus.js';
import { productConflict, takeOver } from './product_conflict.js';
import { changedParts, productFields, stable } from './product_fields.js';
import { productAddress, sectionAddress } from './sections.js';
import { VariantList } from './variant_list.js';

/** @import { Picture } from '../picture_field.js' */
/** @import { ProductDetail, Refusal, Shop } from '../types.d.ts' */

/** @returns {ProductDetail} */
const blank = () => ({
  id: '',
  version: 0,
  status: 'active',
  title: '',
  titles: {},
  image: null,
  category: null,
  options: [],
  variants: [],
  description: '',
  descriptions: {},
  description_html: '',
  descriptions_html: {},
  delivery: '',
  deliveries: {},
});

export class ProductPage {
  /** @param {{ root: HTMLElement, shop: Shop, id: string }} options `id` is `new` for a new product */
  constructor({ root, shop, id }) {
    this.root = root;
    this.shop = shop;
    this.id = id === 'new' ? '' : id;
  }

  /** A refusal of the first read is thrown, so that the page can offer to sign in. */
  async start() {
    /** What the form is based on. @type {ProductDetail} */
    const base = this.id ? await get(`/products/${this.id}`) : blank();
    await this.readGallery(base);
    this.build(base);
    globalThis.addEventListener('beforeunload', (event) => {
      if (this.isChanged()) event.preventDefault();
    });
  }

  /** @param {ProductDetail} product */
  async readGallery(product) {
    /** The pictures that are saved. @type {Picture[]} */
    this.gallery = product.id ? (await get(`/products/${product.id}/pictures`)).pictures : [];
  }

  /** @param {ProductDetail} product */
  build(product) {
    /** @type {ProductDetail} */
    this.base = product;
    this.fields = productFields(product, this.shop, this.gallery ?? []);
    this.variants = new VariantList({ product, currency: this.shop.currency });
    this.alert = el('p.alert', {
      role: 'alert',
      hidden: true,
      'data-test': 'product-alert',
    });
    this.conflict = el('div', {
      'data-test': 'product-conflict',
      hidden: true,
    });
    this.submit = el('button.primary', { type: 'submit', 'data-test': 'product-save' }, t('save'));
    const save = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.save();
    };
    const form = el(
      'form.desk-form.product-form',
      { noValidate: true, onsubmit: save, 'data-test': 'product-form' },
      this.conflict,
      this.fields.nodes,
      el('h2', {}, t('products.variants_title')),
      this.variants.node,
      this.alert,
      el('div.actions', {}, this.submit),
    );
    keepFocus(this.root, () => this.root.replaceChildren(this.head(product), form));
    this.saved = this.print();
  }

  /** @param {ProductDetail} product */
  head(product) {
    const back = el('a', { href: sectionAddress('products'), 'data-test': 'product-back' }, t('products.all'));
    const isArchived = product.status === 'archived';
    const archive = el(
      'button',
      {
        type: 'button',
        'data-test': 'product-archive',
        onclick: () => this.setStatus(archive, !isArchived),
      },
      t(isArchived ? 'products.restore' : 'products.archive'),
    );
    return el(
      'div',
      {},
      el('nav.crumbs', { 'aria-label': t('products.where') }, back),
      el(
        'div.desk-head.product-head',
        {},
        el('h2', {}, el('bdi', {}, titleOf(product) || t('products.new'))),
        product.id && archive,
      ),
      isArchived && el('p.note', { 'data-test': 'product-archived' }, t('products.archived_about')),
    );
  }

  /** Everything that is typed, to see whether it differs from what was saved. */
  print() {
    return `${this.fields?.print()}${this.variants?.print()}`;
  }

  isChanged() {
    return this.print() !== this.saved;
  }

  /** Reads the form. Null: something is wrong, and says so. */
  read() {
    const { fields, variants } = this;
    if (!fields || !variants) return null;
    const values = readAll(fields.fields);
    const rest = variants.read();
    return values && rest ? { ...fields.request(values), ...rest, pictures: values.pictures } : null;
  }

  save() {
    const { alert, submit, base } = this;
    if (!alert || !submit || !base) return;
    setVisible(alert, false);
    const form = this.read();
    if (!form) return;
    const { pictures, ...texts } = form;
    const send = async () => {
      if (base.id) {
        const body = { version: base.version, ...changedParts(base, texts) };
        await this.savePictures(await call('PATCH', `/products/${base.id}`, { body }), pictures);
      } else {
        /** @type {ProductDetail} */
        const made = await addOnce('/products', texts);
        history.replaceState(null, '', productAddress(made.id));
        // From here on the product is there: if its pictures are refused, the next try does not make it again.
        this.base = { ...made, variants: base.variants };
        await this.savePictures(made, pictures);
      }
      toast(t('products.saved'), { kind: 'good', test: 'product-saved' });
    };
    withBusy(submit, send, (refusal) => this.showRefusal(refusal));
  }

  /**
   * Saves the gallery of a product whose other fields are saved, and shows both.
   * @param {ProductDetail} product
   * @param {Picture[]} pictures
   */
  async savePictures(product, pictures) {
    if (stable(pictures) !== stable(this.gallery)) {
      await put(`/products/${product.id}/pictures`, {
        version: product.version,
        pictures,
      });
    }
    /** @type {ProductDetail} */
    const now = await get(`/products/${product.id}`);
    await this.readGallery(now);
    this.build(now);
  }

  /** @param {Refusal} refusal */
  showRefusal(refusal) {
    const newer = /** @type {ProductDetail | undefined} */ (refusal.detail?.current);
    if (refusal.code === 'outdated' && newer?.title) {
      return this.showConflict(newer);
    }
    const text = refusalText(refusal);
    const fields = { ...this.fields?.fields, ...this.variants?.named() };
    if (showFieldError(fields, refusal, text)) return;
    if (!this.alert) return;
    setText(this.alert, text);
    setVisible(this.alert, true);
    this.alert.scrollIntoView({ block: 'nearest' });
  }

  /**
   * Somebody else saved first. What they changed and the reader did not is taken over; of the rest both are shown.
   * @param {ProductDetail} newer
   */
  showConflict(newer) {
    const { base, fields, variants, conflict } = this;
    if (!base || !fields || !variants || !conflict) return;
    const differences = takeOver({ base, newer, fields: fields.fields });
    variants.takeOver(base, newer);
    this.base = newer;
    conflict.replaceChildren(productConflict(differences));
    setVisible(conflict, true);
    conflict.scrollIntoView({ block: 'center' });
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {boolean} isArchived after the change
   */
  setStatus(button, isArchived) {
    const { base } = this;
    if (!base) return undefined;
    const fail = (/** @type {Refusal} */ refusal) => toast(refusalText(refusal), { kind: 'warn' });
    if (this.isChanged()) {
      return toast(t('products.save_first'), {
        kind: 'warn',
        test: 'product-save-first',
      });
    }
    const send = async (/** @type {boolean} */ archived) => {
      const verb = archived ? 'archive' : 'restore';
      /** @type {ProductDetail} */
      const now = await call('POST', `/products/${base.id}/${verb}`, {
        body: {},
      });
      this.build(now);
    };
    const undo = el(
      'button.slim',
      {
        type: 'button',
        'data-test': 'product-undo',
        onclick: () => withBusy(undo, () => send(false), fail),
      },
      t('staff.undo'),
    );
    const change = async () => {
      await send(isArchived);
      const text = t(isArchived ? 'products.now_archived' : 'products.now_restored');
      toast(text, {
        test: 'product-status',
        ...(isArchived && { action: undo, ms: 12_000 }),
      });
    };
    return withBusy(button, change, fail);
  }
}

/** @param {unknown} error */
export const isMissing = (error) => asRefusal(error).code === 'no_such_product';

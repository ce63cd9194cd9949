// Saved views: filters that a member of the team gave a name. They are kept with the account on the server, so they are the same
// on every device.

import { asRefusal, del, get, put } from '../api.js';
import { refusalText, t } from '../i18n.js';
import { openSheet, withBusy } from '../sheet.js';
import { el, setVisible, toast } from '../ui.js';

/** @typedef {{ name: string, query: string }} SavedView */

export class SavedViews {
  /**
   * @param {{ current: () => string, apply: (query: string) => void }} options `current` is the query of the filters now
   */
  constructor({ current, apply }) {
    this.current = current;
    this.apply = apply;
    /** @type {SavedView[]} */
    this.views = [];
    this.select = el('select', { 'aria-label': t('desk.saved_views'), 'data-test': 'saved-views' });
    this.select.addEventListener('change', () => this.chosen());
    const props = { type: 'button', 'data-test': 'save-view', onclick: () => this.ask() };
    this.save = el('button', props, t('desk.save_view'));
    const remove = { type: 'button', 'data-test': 'remove-view', hidden: true, onclick: () => this.remove() };
    this.drop = el('button.ghost', remove, t('desk.remove_view'));
    this.root = el('div.saved-views', {}, this.select, this.save, this.drop);
    this.paint('');
  }

  async load() {
    /** @type {{ items: SavedView[] }} */
    const { items } = await get('/shop/saved-views');
    this.views = items;
    this.paint(this.views.find(({ query }) => query === this.current())?.name ?? '');
  }

  /** @param {string} name of the chosen view; `''`: none */
  paint(name) {
    const none = el('option', { value: '' }, t('desk.saved_views'));
    this.select.replaceChildren(none, ...this.views.map((view) => el('option', { value: view.name }, view.name)));
    this.select.value = name;
    // It keeps its place, so that nothing moves when the views arrive.
    this.select.disabled = this.views.length === 0;
    setVisible(this.drop, name !== '');
  }

  chosen() {
    const view = this.views.find(({ name }) => name === this.select.value);
    setVisible(this.drop, Boolean(view));
    if (view) this.apply(view.query);
  }

  /** The filters were changed by hand: the chosen view is no longer what is shown. */
  changed() {
    const view = this.views.find(({ name }) => name === this.select.value);
    if (view && view.query !== this.current()) this.paint('');
  }

  ask() {
    const name = el('input', {
      type: 'text',
      dir: 'auto',
      required: true,
      maxLength: 40,
      autocomplete: 'off',
      'data-test': 'view-name',
    });
    const button = el('button.primary', { type: 'submit', 'data-test': 'view-save' }, t('desk.save'));
    const fail = (/** @type {import('../types.d.ts').Refusal} */ refusal) =>
      toast(refusalText(refusal), { kind: 'warn' });
    const onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      withBusy(button, () => this.keep(name.value.trim()).then(() => dialog.close()), fail);
    };
    const form = el('form.order-sheet', { onsubmit }, el('label', {}, t('desk.view_name'), name), button);
    const dialog = openSheet(form, { title: t('desk.save_view'), test: 'save-view-sheet' });
  }

  /** @param {string} name */
  async keep(name) {
    /** @type {SavedView} */
    const view = await put(`/shop/saved-views/${encodeURIComponent(name)}`, { query: this.current() });
    this.views = [...this.views.filter((other) => other.name !== view.name), view];
    this.views.sort((a, b) => a.name.localeCompare(b.name));
    this.paint(view.name);
    toast(t('desk.view_saved'));
  }

  async remove() {
    const name = this.select.value;
    try {
      await del(`/shop/saved-views/${encodeURIComponent(name)}`);
      this.views = this.views.filter((view) => view.name !== name);
      this.paint('');
      // The button is gone, and without a view there is nothing to choose.
      this.save.focus({ preventScroll: true });
    } catch (error) {
      toast(refusalText(asRefusal(error)), { kind: 'warn' });
    }
  }
}

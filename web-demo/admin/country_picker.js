// The choice of countries: every country, or some of a long list that is searched. The keyboard chooses with the arrows and Enter from the
// field of the search, so that the list is one stop of the Tab key.

import { COUNTRIES, countryName } from '../address.js';
import { lang, t } from '../i18n.js';
import { finder } from '../search_text.js';
import { el, setText, setVisible } from '../ui.js';

let ids = 0;
const english = new Intl.DisplayNames('en', { type: 'region' });

export class CountryPicker {
  /**
   * @param {string[]} chosen codes; empty: every country
   * @param {() => void} [onchange]
   */
  constructor(chosen, onchange = () => {}) {
    this.id = `countries-${++ids}`;
    this.chosen = new Set(chosen);
    this.isEverywhere = chosen.length === 0;
    this.onchange = onchange;
    // A country that the shop chose by the API stays in the list.
    const codes = [...new Set([...COUNTRIES, ...chosen])];
    this.all = codes.map((code) => ({ code, name: countryName(code) }));
    this.all.sort((a, b) => a.name.localeCompare(b.name, lang));
    /** The options that are shown, and which of them the arrows have reached. @type {HTMLElement[]} */
    this.options = [];
    this.active = -1;
    this.picked = el('ul.picked', { 'data-test': 'market-chosen' });
    this.count = el('p.fine', { role: 'status', 'data-test': 'market-count' });
    this.list = el('ul.country-list', {
      id: `${this.id}-list`,
      role: 'listbox',
      'aria-multiselectable': 'true',
      'aria-label': t('market.countries'),
      'data-test': 'market-list',
    });
    this.none = el('p.fine', { hidden: true, 'data-test': 'market-none-found' }, t('market.none_found'));
    this.search = el('input', {
      id: `${this.id}-search`,
      type: 'search',
      dir: 'auto',
      autocomplete: 'off',
      maxLength: 60,
      role: 'combobox',
      'aria-autocomplete': 'list',
      'aria-expanded': 'true',
      'aria-controls': this.list.id,
      'aria-describedby': `${this.id}-error`,
      'data-test': 'market-search',
      oninput: () => this.find(),
      onkeydown: (event) => this.press(/** @type {KeyboardEvent} */ (event)),
    });
    this.error = el('p.field-error', { id: `${this.id}-error`, hidden: true, 'data-test': 'error-market' });
    this.some = el(
      'div.country-picker',
      {},
      this.count,
      this.picked,
      el('label', { for: this.search.id }, t('market.search')),
      this.search,
      this.none,
      this.list,
    );
    this.node = el(
      'fieldset.countries',
      { 'data-test': 'market-countries' },
      el('legend.for-reader', {}, t('market.where')),
      el('div.choices', {}, this.choice(true), this.choice(false)),
      this.some,
      this.error,
    );
    this.paint();
    this.find();
  }

  /** What the server takes. */
  get codes() {
    return this.isEverywhere ? [] : [...this.chosen].sort();
  }

  /** Marks what is wrong: who chose to choose has to choose. */
  check() {
    const isWrong = !this.isEverywhere && this.chosen.size === 0;
    this.showError(isWrong ? t('market.none_chosen') : '');
    if (isWrong) this.search.focus();
    return !isWrong;
  }

  /** @param {string} text */
  showError(text) {
    setText(this.error, text);
    setVisible(this.error, Boolean(text));
    if (text) this.search.setAttribute('aria-invalid', 'true');
    else this.search.removeAttribute('aria-invalid');
  }

  /** @param {boolean} isEverywhere */
  choice(isEverywhere) {
    const input = el('input', {
      type: 'radio',
      name: this.id,
      checked: this.isEverywhere === isEverywhere,
      'data-test': isEverywhere ? 'market-everywhere' : 'market-some',
      onchange: () => {
        this.isEverywhere = isEverywhere;
        this.changed();
      },
    });
    return el('label.choice', {}, input, el('span', {}, t(isEverywhere ? 'market.everywhere' : 'market.some')));
  }

  changed() {
    this.showError('');
    this.paint();
    this.onchange();
  }

  /** @param {string} code */
  toggle(code) {
    if (!this.chosen.delete(code)) this.chosen.add(code);
    this.changed();
  }

  /** The names that the search finds, in the language of the page and in English, and the codes. */
  find() {
    const isFound = finder(this.search.value);
    const found = this.all.filter(({ code, name }) => isFound(`${name} ${english.of(code) ?? ''} ${code}`));
    this.options = found.map(({ code, name }) => this.option(code, name));
    this.list.replaceChildren(...this.options);
    this.list.scrollTop = 0;
    setVisible(this.list, found.length > 0);
    setVisible(this.none, found.length === 0);
    // Who searches wants the first that was found.
    this.reach(this.search.value.trim() && found.length ? 0 : -1);
  }

  /**
   * @param {string} code
   * @param {string} name
   */
  option(code, name) {
    const isChosen = this.chosen.has(code);
    const onclick = () => {
      this.reach(this.options.indexOf(option));
      this.toggle(code);
    };
    const option = el(
      'li',
      { id: `${this.id}-${code}`, role: 'option', 'aria-selected': String(isChosen), 'data-code': code, onclick },
      el('bdi', {}, name),
    );
    option.dataset.test = `market-${code}`;
    return option;
  }

  /** @param {number} index of an option; -1: none */
  reach(index) {
    this.options[this.active]?.classList.remove('reached');
    this.active = index;
    const option = this.options[index];
    if (!option) return this.search.removeAttribute('aria-activedescendant');
    option.classList.add('reached');
    option.scrollIntoView({ block: 'nearest' });
    this.search.setAttribute('aria-activedescendant', option.id);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const last = this.options.length - 1;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step) {
      event.preventDefault();
      return this.reach(Math.max(0, Math.min(last, this.active + step)));
    }
    if (event.key === 'Escape' && this.search.value) {
      // It clears the search, and closes nothing around it.
      event.preventDefault();
      event.stopPropagation();
      this.search.value = '';
      return this.find();
    }
    if (event.key !== 'Enter') return;
    // It chooses; it must not save the form.
    event.preventDefault();
    const code = this.options[this.active]?.dataset.code;
    if (code) this.toggle(code);
  }

  paint() {
    setVisible(this.some, !this.isEverywhere);
    setText(this.count, t('market.chosen', { n: this.chosen.size }));
    const named = this.all.filter(({ code }) => this.chosen.has(code));
    this.picked.replaceChildren(...named.map(({ code, name }) => el('li', {}, this.pickedButton(code, name))));
    for (const option of this.options) {
      option.setAttribute('aria-selected', String(this.chosen.has(option.dataset.code ?? '')));
    }
  }

  /**
   * @param {string} code
   * @param {string} name
   */
  pickedButton(code, name) {
    const remove = () => {
      const place = [...this.picked.querySelectorAll('button')].indexOf(button);
      this.toggle(code);
      const left = this.picked.querySelectorAll('button');
      (left[Math.min(place, left.length - 1)] ?? this.search).focus();
    };
    const label = t('market.remove', { country: name });
    const props = { type: 'button', 'aria-label': label, 'data-test': `market-remove-${code}`, onclick: remove };
    const button = el('button.slim', props, el('bdi', {}, name), ' ×');
    return button;
  }
}

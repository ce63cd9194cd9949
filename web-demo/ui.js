// The small parts that every page shares: elements, icons, toasts, and the line that a screen reader reads.
//
// Text reaches the page through `textContent` only. Nothing here parses markup, so nothing that a viewer writes can
// become markup.

import { route } from './base.js';

/** @import { Titles } from './client.js' */
/** @import { Child, ElementOf, Props } from './types.d.ts' */

/**
 * Makes an element: `el('button.primary', { 'data-test': 'pay', onclick }, 'Pay')`.
 * @template {string} Spec
 * @param {Spec} spec the tag and the classes
 * @param {Props} [props]
 * @param {...Child} children
 * @returns {ElementOf<Spec>}
 */
export function el(spec, props = {}, ...children) {
  const [tag, ...classes] = spec.split('.');
  const node = document.createElement(tag || 'div');
  if (classes.length) node.className = classes.join(' ');
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name in node && !name.includes('-') && name !== 'list') Object.assign(node, { [name]: value });
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  append(node, children);
  return /** @type {ElementOf<Spec>} */ (node);
}

/**
 * @param {Element} node
 * @param {Child[]} children
 */
function append(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(node, child);
    else if (child !== null && child !== undefined && child !== false) {
      node.append(child instanceof Node ? child : String(child));
    }
  }
}

/**
 * The element with this id. Throws when it is missing or of another kind, because then the page itself is wrong.
 * @template {Element} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [kind]
 * @returns {T}
 */
export function byId(id, kind) {
  const node = document.getElementById(id);
  if (!node || (kind && !(node instanceof kind))) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (/** @type {unknown} */ (node));
}

/**
 * The elements that match a selector.
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {HTMLElement[]}
 */
export const queryAll = (selector, root = document) => [...root.querySelectorAll(selector)].map(asElement);

/** HTML elements only; the pages look for no others. @param {Element | null} node */
const asElement = (node) => /** @type {HTMLElement} */ (node);

/**
 * The first element that matches a selector. The caller knows that there is one.
 * @param {string} selector
 * @param {ParentNode} [root]
 */
export const query = (selector, root = document) => asElement(root.querySelector(selector));

/** @type {WeakRef<HTMLElement> | null} */
let usedLast = null;
for (const kind of ['focusin', 'click']) {
  const note = (/** @type {Event} */ { target }) => {
    const control = target instanceof Element && target.closest('button, a, input, select, textarea, [tabindex]');
    if (control) usedLast = new WeakRef(asElement(control));
  };
  document.addEventListener(kind, note, { capture: true });
}

/** The control that was focused or pressed last. Safari does not focus a button that is pressed, and a busy one loses the focus. */
export const lastControl = () => usedLast?.deref() ?? null;

/** Whether the focus is nowhere: what had it is gone, hidden or disabled. */
export const isFocusLost = () => !document.activeElement || document.activeElement === document.body;

const SVG = 'http://www.w3.org/2000/svg';
/**
 * The icons of the first view. A part that loads later adds its own: `Object.assign(ICONS, { … })`.
 * @type {Record<string, string>}
 */
export const ICONS = {
  bag: 'M6 8h12l1.2 12.5H4.8zM9 10V6.5a3 3 0 0 1 6 0V10',
  heart: 'M12 20s-7.5-4.6-7.5-10.2A4.2 4.2 0 0 1 12 7.4a4.2 4.2 0 0 1 7.5 2.4C19.5 15.4 12 20 12 20z',
  eye: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6z',
  send: 'M4 12 20 4.5 15 20l-3.5-6.5zM11.5 13.5 20 4.5',
  close: 'M6 6l12 12M18 6L6 18',
  share: 'M12 15V4M8 7.5 12 4l4 3.5M6 12v7.5h12V12',
  sound: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11',
  muted: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5',
  pin: 'M9 3.5h6l-.8 6.5 3.3 3.5h-11L9.8 10zM12 13.5V21',
  check: 'M5 12.5 10 17.5 19.5 7',
  clock: 'M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 8v4.3l3 2',
  megaphone: 'M4 10v4h3l9 4.5v-13L7 10zM19 9.5v5',
  back: 'M15 5l-7 7 7 7',
  play: 'M8 5.5v13l11-6.5z',
  captions: 'M3.5 5.5h17v13h-17zM10.5 10.4a2 2 0 1 0 0 3.2M17 10.4a2 2 0 1 0 0 3.2',
};

/**
 * Icons are drawn here, not loaded. In right-to-left pages `send` and `back` are mirrored; the others are not.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/** Adds the icons that the HTML names in `data-icon`. */
export function fillIcons() {
  for (const node of queryAll('[data-icon]')) node.prepend(icon(node.dataset.icon ?? ''));
}

/**
 * Adds style sheets that are in the same folder as this file and waits for them, so that nothing is shown without its styles.
 * @param {...string} names
 * @returns {Promise<unknown>}
 */
export const style = (...names) => Promise.all(names.map(addStyle));

/**
 * @param {string} name
 * @returns {Promise<unknown>}
 */
function addStyle(name) {
  // The server joins the sheets that the page names.
  if (document.querySelector(`link[data-sheets~="${name}"]`)) return Promise.resolve();
  const href = new URL(`./${name}.css`, import.meta.url).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === href)) return Promise.resolve();
  return new Promise((done) =>
    document.head.append(el('link', { rel: 'stylesheet', href, onload: done, onerror: done })),
  );
}

/**
 * Sets the text of a node if it is another one: a clock that ticks must not repaint the whole page.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * @param {HTMLElement} node
 * @param {boolean} visible
 */
export function setVisible(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/**
 * The address of a picture or video. One of the shop itself is stored without the path of the shop.
 * @param {string} src
 */
export const contentAddress = (src) => (/^\/(?!\/)/.test(src) ? route(src) : src);

/** A picture on this server; it is there in several sizes. */
const UPLOADED = /^(\/pictures\/[0-9a-f]{64}\/)\d+(?:#|$)/;
const PICTURE_SIZES = [200, 800, 1600];
/** The point that stays in sight when a picture is cropped, in thousandths. */
const FOCUS = /#focus=(\d{1,4}),(\d{1,4})$/;

/**
 * The picture of a product, an offer, an order or a show. Its frame keeps its place, and a tile replaces a picture that is missing
 * or cannot be loaded.
 * @param {string | null | undefined} src
 * @param {{ title: string, titles?: Titles } | null} [of]
 */
export function picture(src, of, alt = '') {
  const frame = el('span.picture');
  if (!src) {
    frame.append(tile(of));
    return frame;
  }
  const image = el('img', { alt, loading: 'lazy', decoding: 'async' });
  image.addEventListener('error', () => image.replaceWith(tile(of)));
  const [, uploaded] = UPLOADED.exec(src) ?? [];
  if (uploaded) {
    image.sizes = 'auto, 25rem';
    image.srcset = PICTURE_SIZES.map((size) => `${route(uploaded)}${size} ${size}w`).join(', ');
  }
  const [, x, y] = FOCUS.exec(src) ?? [];
  if (x) image.style.objectPosition = `${Number(x) / 10}% ${Number(y) / 10}%`;
  image.src = contentAddress(src);
  frame.append(image);
  return frame;
}

/**
 * A colour that comes from a name, from 0 to 359.
 * @param {string} name
 */
export const hueOf = (name) => [...name].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7);

/**
 * The initials on a colour that comes from the title, so that it is the same wherever the product is shown.
 * @param {{ title: string, titles?: Titles } | null} [of]
 */
function tile(of) {
  const { lang } = document.documentElement;
  const words = (of?.titles?.[lang] ?? of?.title ?? '').match(/[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu);
  if (!of || !words) return icon('bag');
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 100 100');
  svg.setAttribute('class', 'tile');
  svg.setAttribute('aria-hidden', 'true');
  svg.style.setProperty('--hue', String(hueOf(of.title)));
  const text = document.createElementNS(SVG, 'text');
  text.setAttribute('x', '50');
  text.setAttribute('y', '52');
  // Arabic letters would join, and initials stand alone.
  const initials = words.slice(0, 2).map((word) => [...word][0].toLocaleUpperCase(lang));
  text.textContent = initials.join('\u200c');
  svg.append(text);
  return svg;
}

/**
 * Tells a screen reader something: a pin, the start of a sale, sold out, an own order. Chat messages are never spoken.
 * @param {string} text
 */
export function speak(text) {
  // Screen readers do not read content behind a modal sheet, so each sheet has its own live region.
  const lines = [document.getElementById('spoken'), [...document.querySelectorAll('dialog[open] > .spoken')].at(-1)];
  for (const line of lines) if (line) line.textContent = '';
  setTimeout(() => {
    for (const line of lines) if (line) line.textContent = text;
  }, 50);
}

const TOASTS_MAX = 3;

/**
 * Shows a text for a moment over everything else.
 * @param {string} text
 * @param {{ kind?: 'plain' | 'warn' | 'good', ms?: number, test?: string, action?: HTMLElement }} [options] `action` is a
 *   button beside the text
 */
export function toast(text, { kind = 'plain', ms = 4_500, test = 'toast', action } = {}) {
  const box = byId('toasts');
  const node = el(`div.toast.${kind}`, { 'data-test': test, role: 'status' }, text, action);
  box.append(node);
  if (document.querySelector('dialog[open]')) speak(text);
  while (box.children.length > TOASTS_MAX) box.firstChild?.remove();
  // The top layer is a stack: when the toasts are shown again, they lie above a dialog that was opened after them.
  if (box.matches(':popover-open')) box.hidePopover();
  box.showPopover?.();
  setTimeout(() => {
    node.remove();
    if (!box.children.length && box.matches(':popover-open')) box.hidePopover();
  }, ms);
}

const TICK_MS = 250;

/**
 * Calls `paint` four times a second while the page is visible, so that clocks are at most a quarter of a second late.
 * @param {() => void} paint
 */
export function onTick(paint) {
  const run = () => {
    if (!document.hidden) paint();
  };
  document.addEventListener('visibilitychange', run);
  return setInterval(run, TICK_MS);
}

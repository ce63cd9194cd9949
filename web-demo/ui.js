// Small parts every page shares: elements, icons, toasts, the spoken line.
//
// Text reaches the page through `textContent` only; nothing here parses markup, so nothing a viewer writes can be any.

/** `el('button.primary', { 'data-test': 'pay', onclick }, 'Pay')` */
export function el(spec, props = {}, ...children) {
  const [tag, ...classes] = spec.split('.');
  const node = document.createElement(tag || 'div');
  if (classes.length) node.className = classes.join(' ');
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name in node && !name.includes('-') && name !== 'list') node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = 'http://www.w3.org/2000/svg';
// Parts that load later bring their own: `Object.assign(ICONS, { … })`.
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

/** Icons are drawn, not fetched. `send` and `back` turn round in right-to-left; the others do not. */
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

export function fillIcons(root = document) {
  for (const node of root.querySelectorAll('[data-icon]')) node.prepend(icon(node.dataset.icon));
}

/** Adds a style sheet that lies beside this file and waits for it, so that nothing shows undressed. */
export function style(name) {
  const href = new URL(`./${name}.css`, import.meta.url).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === href)) return Promise.resolve();
  return new Promise((done) => document.head.append(el('link', { rel: 'stylesheet', href, onload: done, onerror: done })));
}

/** Writes only what changed: a clock that ticks must not wake the whole page. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** A picture that may be missing: the frame keeps its place and a bag stands in. */
export function picture(src, alt = '') {
  const frame = el('span.picture');
  if (!src) {
    frame.append(icon('bag'));
    return frame;
  }
  const image = el('img', { alt, loading: 'lazy', decoding: 'async' });
  image.addEventListener('error', () => image.replaceWith(icon('bag')));
  image.src = src;
  frame.append(image);
  return frame;
}

/** For a screen reader: pin, sale start, sold out, one's own order. Never the chat. */
export function speak(text) {
  // Behind a modal sheet nothing is read, so the sheet has a line of its own.
  const lines = [document.getElementById('spoken'), [...document.querySelectorAll('dialog[open] > .spoken')].at(-1)].filter(Boolean);
  for (const line of lines) line.textContent = '';
  setTimeout(() => { for (const line of lines) line.textContent = text; }, 50);
}

const TOASTS_MAX = 3;

export function toast(text, { kind = 'plain', ms = 4_500, test = 'toast' } = {}) {
  const box = document.getElementById('toasts');
  const node = el(`div.toast.${kind}`, { 'data-test': test, role: 'status' }, text);
  box.append(node);
  if (document.querySelector('dialog[open]')) speak(text);
  while (box.children.length > TOASTS_MAX) box.firstChild.remove();
  // The top layer is a stack: shown anew, the toasts lie above a dialog that was opened after them.
  if (box.showPopover) {
    if (box.matches(':popover-open')) box.hidePopover();
    box.showPopover();
  }
  setTimeout(() => {
    node.remove();
    if (!box.children.length && box.showPopover && box.matches(':popover-open')) box.hidePopover();
  }, ms);
}

/** Calls `paint` on every full tick, only while the page can be seen. */
export function everySecond(paint) {
  const run = () => { if (!document.hidden) paint(); };
  document.addEventListener('visibilitychange', run);
  return setInterval(run, 250);
}

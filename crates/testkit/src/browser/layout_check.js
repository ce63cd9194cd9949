// Measures what a designer would mark on a picture of this page, and returns a sentence for each fault.
// This is the body of a function: arguments[0] is `true` on a touch screen.

const touch = arguments[0];
const faults = [];
const name = (element) => {
  const hook = element.closest('[data-test]')?.dataset.test;
  const text = (element.getAttribute('aria-label') ?? element.innerText ?? '').trim().slice(0, 30);
  return `<${element.tagName.toLowerCase()}${element.id ? '#' + element.id : ''}> ${hook ? `(${hook}) ` : ''}"${text}"`;
};
const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
const inWindow = (box) =>
  box.width > 0 &&
  box.height > 0 &&
  box.top >= 0 &&
  box.left >= 0 &&
  box.bottom <= innerHeight &&
  box.right <= innerWidth;

// The part of a text that is visible, where an ancestor up to `limit` cuts it off with an ellipsis.
const cutWithDots = (text, parent, limit) => {
  let { left, right } = text;
  for (let up = parent; up && up !== limit; up = up.parentElement) {
    const style = getComputedStyle(up);
    if (style.overflowX === 'visible') continue;
    if (style.textOverflow !== 'ellipsis' && style.webkitLineClamp === 'none') continue;
    const frame = up.getBoundingClientRect();
    [left, right] = [Math.max(left, frame.left), Math.min(right, frame.right)];
  }
  return { left, right };
};

// A badge in the corner may overflow its button; text in the flow must not.
const overflows = (element) => {
  if (getComputedStyle(element).textOverflow === 'ellipsis') return false;
  const box = element.getBoundingClientRect();
  const words = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const parent = words.currentNode.parentElement;
    if (!words.currentNode.textContent.trim() || !shown(parent) || parent.closest('.for-reader')) continue;
    if (parent !== element && ['absolute', 'fixed'].includes(getComputedStyle(parent).position)) continue;
    const range = document.createRange();
    range.selectNodeContents(words.currentNode);
    const text = cutWithDots(range.getBoundingClientRect(), parent, element);
    if (text.left < box.left - 1 || text.right > box.right + 1) return true;
  }
  return false;
};

// Is this point of the element scrolled out of a list, or cut off by a frame?
const outOfFrame = (element, x, y) => {
  for (let up = element; up; up = up.parentElement) {
    if (getComputedStyle(up).overflow === 'visible') continue;
    const frame = up.getBoundingClientRect();
    if (y < frame.top || y > frame.bottom || x < frame.left || x > frame.right) return true;
  }
  return false;
};

// A sticky header lies over the rows that scroll.
const sticks = (top, element) => {
  for (let up = top; up && !up.contains(element); up = up.parentElement) {
    if (getComputedStyle(up).position === 'sticky') return true;
  }
  return false;
};

const root = document.documentElement;
if (root.scrollWidth > root.clientWidth) {
  faults.push(`the page is ${root.scrollWidth - root.clientWidth} px wider than its window`);
}

// Only the topmost layer can be pressed: the topmost dialog, or else the page.
const dialogs = [...document.querySelectorAll('dialog:modal')];
const front = dialogs.at(-1) ?? document.body;
if (!front.innerText.trim()) faults.push('nothing is shown');
const pressable = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [role=tab], [role=button]';
for (const element of front.querySelectorAll(pressable)) {
  if (!shown(element) || element.closest('[inert], .for-reader')) continue;
  const box = element.getBoundingClientRect();
  // The label of a control can be touched too.
  const label = element.labels?.[0]?.getBoundingClientRect();
  const wide = Math.max(box.width, label?.width ?? 0);
  const high = Math.max(box.height, label?.height ?? 0);
  const inline = element.tagName === 'A' && getComputedStyle(element).display === 'inline';
  if (touch && !inline && (wide < 43.5 || high < 43.5)) {
    faults.push(`${name(element)} is ${Math.round(wide)} × ${Math.round(high)} px, too small to touch`);
  }
  if (element.matches('button, a') && !inline && overflows(element)) {
    faults.push(`the text of ${name(element)} overflows it`);
  }
  if (!inWindow(box) || element.disabled) continue;
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  if (outOfFrame(element, x, y)) continue;
  const top = document.elementFromPoint(x, y);
  const own = top && (element.contains(top) || top.contains(element) || element.labels?.[0]?.contains(top));
  // Toasts cover the page for a moment.
  if (!own && !top?.closest('[popover]') && !sticks(top, element)) {
    faults.push(`${name(element)} lies under ${top ? name(top) : 'nothing'}`);
  }
}

// The choice that a select shows. Its text is drawn by the browser, so its width is measured beside it; a select that shows no text at all
// (a globe for the language) is no fault.
const ruler = document.createElement('canvas').getContext('2d');
for (const select of front.querySelectorAll('select')) {
  const style = getComputedStyle(select);
  if (!shown(select) || style.color === 'rgba(0, 0, 0, 0)' || style.textOverflow === 'ellipsis') continue;
  ruler.font = style.font;
  const text = ruler.measureText(select.selectedOptions[0]?.text ?? '').width;
  const room = select.clientWidth - parseFloat(style.paddingInlineStart) - parseFloat(style.paddingInlineEnd);
  if (room > 0 && text > room + 1) {
    faults.push(`the choice of ${name(select)} is ${Math.round(text)} px wide and has ${Math.round(room)} px`);
  }
}

// Text that is cut off without an ellipsis.
const walker = document.createTreeWalker(front, NodeFilter.SHOW_TEXT);
const seen = new Set();
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (
    !walker.currentNode.textContent.trim() ||
    seen.has(element) ||
    !shown(element) ||
    element.closest('.for-reader, option')
  ) {
    continue;
  }
  seen.add(element);
  if (element.clientWidth === 1) continue; // It is for screen readers only.
  const style = getComputedStyle(element);
  const hides = style.overflowX !== 'visible' && !['auto', 'scroll'].includes(style.overflowX);
  const dots = style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none';
  if (hides && !dots && element.scrollWidth > element.clientWidth + 1) {
    faults.push(`the text of ${name(element)} is cut off`);
  }
  const box = element.getBoundingClientRect();
  if (box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !element.closest('[data-slides]')) {
    faults.push(`the text of ${name(element)} leaves the window`);
  }
}

// Text that something else covers: a button over a price. Only prices, clocks and names of products and buyers are measured,
// because other text may lie under a fading edge.
const important = '.price, .countdown, .num, .card-title, .row-title, .card-left, .row-left, .hold-clock, .name';
for (const element of front.querySelectorAll(important)) {
  if (!shown(element) || !element.textContent.trim() || element.closest('.for-reader, [inert]')) continue;
  const range = document.createRange();
  range.selectNodeContents(element);
  for (const box of range.getClientRects()) {
    const y = box.top + box.height / 2;
    for (const x of [box.left + 3, box.right - 3]) {
      if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight || box.width < 8) continue;
      if (outOfFrame(element, x, y)) continue;
      const top = document.elementFromPoint(x, y);
      if (!top) continue; // The point is outside the window.
      const related = top.contains(element) || element.contains(top);
      if (!related && !top.closest('[popover], .conn') && !sticks(top, element)) {
        faults.push(`the text of ${name(element)} is covered by ${name(top)}`);
      }
    }
  }
}

// A list or panel that scrolls sideways, unless it is made to.
for (const element of front.querySelectorAll('*')) {
  if (!['auto', 'scroll'].includes(getComputedStyle(element).overflowX) || !shown(element)) continue;
  if (element.scrollWidth > element.clientWidth + 1 && !element.matches('[data-slides], pre, pre *')) {
    faults.push(`${name(element)} scrolls sideways by ${element.scrollWidth - element.clientWidth} px`);
  }
}

// A key without a text in this language is shown as the key itself.
for (const element of front.querySelectorAll('*')) {
  if (element.children.length || element.tagName === 'BDI' || !shown(element)) continue; // A file name looks like a key.
  if (/^[a-z_]+(\.[a-z_]+)+$/.test(element.textContent.trim())) {
    faults.push(`${name(element)} shows a key instead of a text`);
  }
}
return [...new Set(faults)];

// Paints around frames: one that is moved loads again, and forgets what was typed.

/** @import { Child } from './types.d.ts' */

/**
 * Replaces the children of an element, and leaves those where they are that stay and hold a frame: a frame that is moved loads again.
 * Those that stay must keep their order.
 * @param {Element} parent
 * @param {Child} children
 */
export function replaceAround(parent, children) {
  /** @type {Node[]} */
  const nodes = [];
  /** @param {Child} child */
  const collect = (child) => {
    if (Array.isArray(child)) child.forEach(collect);
    else if (child instanceof Node) nodes.push(child);
    else if (child !== null && child !== undefined && child !== false) nodes.push(new Text(String(child)));
  };
  collect(children);
  const stay = new Set(nodes.filter((node) => node.parentNode === parent && isFramed(node)));
  for (const child of [...parent.childNodes]) if (!stay.has(child)) child.remove();
  /** What stays and is not reached yet stands from here on. */
  let next = parent.firstChild;
  for (const node of nodes) {
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
}

/** @param {Node} node */
const isFramed = (node) =>
  node instanceof Element && (node.matches('[data-keep]') || node.querySelector('[data-keep]') !== null);

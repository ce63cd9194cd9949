// Paints around a frame: one that is moved loads anew, and forgets what was typed.

/** @import { Child } from './types.d.ts' */

/**
 * Replaces the children of an element, and leaves those where they are that stay: a frame that is moved loads anew. At most one child
 * stays.
 * @param {Element} parent
 * @param {Child} children
 */
export function replaceAround(parent, children) {
  const holder = document.createDocumentFragment();
  /** @type {(Node | string)[]} */
  const nodes = [];
  /** @param {Child} child */
  const collect = (child) => {
    if (Array.isArray(child)) child.forEach(collect);
    else if (child instanceof Node) nodes.push(child);
    else if (child !== null && child !== undefined && child !== false) nodes.push(String(child));
  };
  collect(children);
  const stays = nodes.find(
    (node) => node instanceof Node && node.parentNode === parent && node.contains(framed(parent)),
  );
  if (!(stays instanceof Element)) return parent.replaceChildren(...nodes);
  for (const child of [...parent.childNodes]) if (child !== stays) holder.append(child);
  const at = nodes.indexOf(stays);
  stays.before(...nodes.slice(0, at));
  stays.after(...nodes.slice(at + 1));
}

/** @param {Element} parent */
const framed = (parent) => parent.querySelector('[data-keep]');

// The API reference: it reads the two documents that the server generates from its types, and shows them as one page.

import { route } from './base.js';
import { messageGroups } from './docs/messages.js';
import { operationGroups } from './docs/operations.js';
import { prose, schemaGroups } from './docs/schema.js';
import { byId, el, queryAll } from './ui.js';

/** @import { ApiInfo, AsyncApi, OpenApi, ReferenceGroup } from './types.d.ts' */
/** @typedef {{ id: string, title: string, groups: ReferenceGroup[], fault?: string }} Part */

const content = byId('content');
const contents = byId('contents');
const filterField = byId('filter', HTMLInputElement);

const [rest, socket] = await Promise.all([
  /** @type {Promise<{ document?: OpenApi, fault?: string }>} */ (loadDocument('/v1/openapi.json')),
  /** @type {Promise<{ document?: AsyncApi, fault?: string }>} */ (loadDocument('/v1/asyncapi.json')),
]);
build();
filterField.addEventListener('input', () => filter(filterField.value.trim().toLowerCase()));
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();

/**
 * Loads a document. A missing document is reported in its place; the other one can still be read.
 * @param {string} address
 */
async function loadDocument(address) {
  try {
    const answer = await fetch(route(address));
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    return { document: await answer.json() };
  } catch (error) {
    return { fault: `${address}: ${error instanceof Error ? error.message : error}` };
  }
}

function build() {
  const [openApi, asyncApi] = [rest.document ?? {}, socket.document ?? {}];
  const schemas = { ...asyncApi.components?.schemas, ...openApi.components?.schemas };
  /** @type {Part[]} */
  const all = [
    { id: 'rest', title: 'REST', groups: operationGroups(openApi), fault: rest.fault },
    { id: 'socket', title: 'Socket', groups: messageGroups(asyncApi), fault: socket.fault },
    { id: 'schemas', title: 'Schemas', groups: schemaGroups(schemas, 'schema') },
  ];
  const parts = all.filter(({ groups, fault }) => groups.length || fault);
  content.replaceChildren(introduction(openApi.info ?? asyncApi.info), ...parts.map(partSection));
  contents.replaceChildren(...parts.filter(({ fault }) => !fault).map(contentsSection));
}

/** @param {ApiInfo} [info] */
function introduction(info) {
  const paragraphs = (info?.description ?? '').split(/\n{2,}/).filter(Boolean);
  return el(
    'header.intro',
    {},
    el('h1', {}, info?.title ?? 'Livesouk API'),
    info?.version && el('p', {}, `Version ${info.version}`),
    paragraphs.map((paragraph) => el('p', {}, prose(paragraph))),
  );
}

/** @param {Part} part */
function partSection({ id, title, groups, fault }) {
  const body = fault ? el('p.alert-line', { role: 'alert' }, fault) : groups.map((group) => group.node);
  return el('section.part-body', { id }, el('h2', {}, title), body);
}

/** @param {Part} part */
function contentsSection({ id, title, groups }) {
  const links = groups.map((group) => el('li', {}, el('a', { href: `#${group.id}` }, group.title)));
  return el('section', {}, el('a.part', { href: `#${id}` }, title), el('ul', {}, links));
}

/**
 * Hides the items that do not contain this text, and the groups that have no item left.
 * @param {string} wanted
 */
function filter(wanted) {
  for (const item of queryAll('[data-item]', content)) {
    item.hidden = Boolean(wanted) && !item.textContent?.toLowerCase().includes(wanted);
  }
  for (const group of queryAll('.group', content)) {
    const items = queryAll('[data-item]', group);
    group.hidden = !items.some((item) => !item.hidden);
  }
}

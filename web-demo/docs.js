// The API reference: reads the two documents the server writes from its own types, and sets them as one calm page.

import { el } from './ui.js';
import { messages } from './docs/messages.js';
import { operations } from './docs/operations.js';
import { prose, schemaSections } from './docs/schema.js';

const content = document.getElementById('content');
const contents = document.getElementById('contents');

const [rest, socket] = await Promise.all(['/v1/openapi.json', '/v1/asyncapi.json'].map(read));
build();
document.getElementById('filter').addEventListener('input', (event) => filter(event.target.value.trim().toLowerCase()));
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();

/** A missing document is told in its place; the other one still reads. */
async function read(address) {
  try {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    return await answer.json();
  } catch (fault) {
    return { fault: `${address}: ${fault.message}` };
  }
}

function build() {
  const parts = [
    head(rest.info ?? socket.info),
    part('rest', 'REST', rest, () => operations(rest)),
    part('socket', 'Socket', socket, () => messages(socket)),
    part('schemas', 'Schemas', {}, () => schemaSections({ ...socket.components?.schemas, ...rest.components?.schemas }, 'schema')),
  ];
  content.replaceChildren(...parts.filter(Boolean).map((one) => one.node ?? one));
  contents.replaceChildren(...parts.filter((one) => one?.groups).map(({ id, title, groups }) => el('section', {},
    el('a.part', { href: `#${id}` }, title), el('ul', {}, groups.map((group) => el('li', {}, el('a', { href: `#${group.id}` }, group.title)))))));
}

function head(info) {
  return el('header.intro', {}, el('h1', {}, info?.title ?? 'Livesouk API'), info?.version && el('p', {}, `Version ${info.version}`), paragraphs(info?.description));
}

function part(id, title, document_, make) {
  if (document_.fault) return { node: el('section.part-body', { id }, el('h2', {}, title), el('p.alert-line', { role: 'alert' }, document_.fault)) };
  const groups = make();
  if (!groups.length) return null;
  return { id, title, groups, node: el('section.part-body', { id }, el('h2', {}, title), groups.map((group) => group.node)) };
}

function paragraphs(text) {
  return text ? text.split(/\n{2,}/).map((paragraph) => el('p', {}, prose(paragraph))) : null;
}

/** Hides what does not mention the words; a group without anything left goes too. */
function filter(wanted) {
  for (const item of content.querySelectorAll('[data-item]')) item.hidden = Boolean(wanted) && !item.textContent.toLowerCase().includes(wanted);
  for (const group of content.querySelectorAll('.group')) group.hidden = ![...group.querySelectorAll('[data-item]')].some((item) => !item.hidden);
}

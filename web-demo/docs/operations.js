// The REST half: endpoints grouped by tag, each with its parameters, body and answers.

import { el } from '../ui.js';
import { anchor, example, fields, limits, prose, typeOf } from './schema.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

export function operations(api) {
  const groups = new Map((api.tags ?? []).map((tag) => [tag.name, { about: tag.description, items: [] }]));
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const method of METHODS.filter((name) => item[name])) {
      const operation = item[method];
      const tag = operation.tags?.[0] ?? 'other';
      if (!groups.has(tag)) groups.set(tag, { items: [] });
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((one) => resolve(api, one));
      groups.get(tag).items.push(article(api, method, path, operation, parameters));
    }
  }
  return [...groups].filter(([, { items }]) => items.length).map(([tag, { about, items }]) => {
    const id = anchor('rest', tag);
    return { id, title: tag, node: el('section.group', { id }, el('h3', {}, tag), about && el('p', {}, prose(about)), items) };
  });
}

/** Parameters, bodies and answers may be kept apart and referred to. */
function resolve(api, node) {
  if (!node?.$ref) return node;
  return node.$ref.replace(/^#\//, '').split('/').reduce((at, part) => at?.[part.replace(/~1/g, '/').replace(/~0/g, '~')], api) ?? node;
}

function article(api, method, path, operation, parameters) {
  const id = anchor('rest', method, path);
  const body = resolve(api, operation.requestBody);
  return el('article.operation', { id, 'data-item': true },
    el('h4', {}, el(`span.method.${method}`, {}, method.toUpperCase()), el('code', {}, pathParts(path)), operation.deprecated && el('small', {}, 'deprecated')),
    operation.summary && el('p.summary-line', {}, prose(operation.summary)),
    operation.description && operation.description !== operation.summary && el('p', {}, prose(operation.description)),
    parameters.length ? part('Parameters', parameterTable(parameters)) : null,
    body && part('Body', media(body)),
    part('Answers', el('dl.answers', {}, Object.entries(operation.responses ?? {}).map(([status, answer]) => answerLine(status, resolve(api, answer))))));
}

/** Long paths may break after a slash. */
function pathParts(path) {
  return path.split('/').flatMap((piece, i) => (i ? ['/', el('wbr'), piece] : [piece]));
}

function part(title, node) {
  return el('div.detail', {}, el('h5', {}, title), node);
}

function parameterTable(parameters) {
  return el('div.table-box', {}, el('table', {}, el('tbody', {}, parameters.map((one) => el('tr', {},
    el('th', { scope: 'row' }, el('code', {}, one.name), el('small', {}, one.required ? one.in : `${one.in}, optional`)),
    el('td', {}, el('code.type', {}, typeOf(one.schema)), el('span', {}, prose([one.description, limits(one.schema ?? {})].filter(Boolean).join(' · ')))))))));
}

function media(node) {
  return Object.entries(node.content ?? {}).map(([type, { schema, example: one, examples }]) => el('div', {},
    el('p.media', {}, type !== 'application/json' && `${type}: `, el('code.type', {}, typeOf(schema))), fields(schema), example(one ?? Object.values(examples ?? {})[0]?.value)));
}

function answerLine(status, answer) {
  return [el(`dt.s${status[0]}`, {}, status), el('dd', {}, el('span', {}, prose(answer.description)), media(answer))];
}

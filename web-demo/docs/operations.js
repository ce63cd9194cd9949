// The REST half of the API reference: the endpoints by tag, each with its parameters, body and answers.

import { el } from '../ui.js';
import { anchor, example, fields, limits, prose, resolve, typeOf } from './schema.js';

/** @import { ApiBody, ApiOperation, ApiParameter, Child, OpenApi, ReferenceGroup } from '../types.d.ts' */

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/**
 * @param {OpenApi} api
 * @returns {ReferenceGroup[]}
 */
export function operationGroups(api) {
  /** @type {Map<string, { about?: string, items: HTMLElement[] }>} */
  const groups = new Map((api.tags ?? []).map((tag) => [tag.name, { about: tag.description, items: [] }]));
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      const tag = operation.tags?.[0] ?? 'other';
      const group = groups.get(tag) ?? { items: [] };
      groups.set(tag, group);
      const given = [...(item.parameters ?? []), ...(operation.parameters ?? [])];
      const parameters = given.map((one) => resolve(api, one) ?? one);
      group.items.push(operationArticle(api, method, path, operation, parameters));
    }
  }
  return [...groups]
    .filter(([, { items }]) => items.length)
    .map(([tag, { about, items }]) => {
      const id = anchor('rest', tag);
      const node = el('section.group', { id }, el('h3', {}, tag), about && el('p', {}, prose(about)), items);
      return { id, title: tag, node };
    });
}

/**
 * @param {OpenApi} api
 * @param {string} method
 * @param {string} path
 * @param {ApiOperation} operation
 * @param {ApiParameter[]} parameters
 */
function operationArticle(api, method, path, operation, parameters) {
  const { summary, description, deprecated, requestBody, responses } = operation;
  const body = resolve(api, requestBody);
  const answers = Object.entries(responses ?? {}).map(([status, answer]) =>
    answerLine(status, resolve(api, answer) ?? answer),
  );
  return el(
    'article.operation',
    { id: anchor('rest', method, path), 'data-item': true },
    el(
      'h4',
      {},
      el(`span.method.${method}`, {}, method.toUpperCase()),
      el('code', {}, breakablePath(path)),
      deprecated && el('small', {}, 'deprecated'),
    ),
    summary && el('p.summary-line', {}, prose(summary)),
    description && description !== summary && el('p', {}, prose(description)),
    parameters.length > 0 && detail('Parameters', parameterTable(parameters)),
    body && detail('Body', mediaTypes(body)),
    detail('Answers', el('dl.answers', {}, answers)),
  );
}

/**
 * A path that may break after each slash.
 * @param {string} path
 */
function breakablePath(path) {
  return path.split('/').flatMap((piece, index) => (index ? ['/', el('wbr'), piece] : [piece]));
}

/**
 * @param {string} title
 * @param {Child} node
 */
function detail(title, node) {
  return el('div.detail', {}, el('h5', {}, title), node);
}

/** @param {ApiParameter[]} parameters */
function parameterTable(parameters) {
  const rows = parameters.map(({ name, in: place, required, schema, description }) => {
    const texts = [description, limits(schema ?? {})].filter(Boolean).join(' · ');
    return el(
      'tr',
      {},
      el('th', { scope: 'row' }, el('code', {}, name), el('small', {}, required ? place : `${place}, optional`)),
      el('td', {}, el('code.type', {}, typeOf(schema)), el('span', {}, prose(texts))),
    );
  });
  return el('div.table-box', {}, el('table', {}, el('tbody', {}, rows)));
}

/** @param {ApiBody} body */
function mediaTypes(body) {
  return Object.entries(body.content ?? {}).map(([type, { schema, example: one, examples }]) => {
    const name = type !== 'application/json' && `${type}: `;
    const shown = example(one ?? Object.values(examples ?? {})[0]?.value);
    return el('div', {}, el('p.media', {}, name, el('code.type', {}, typeOf(schema))), fields(schema), shown);
  });
}

/**
 * @param {string} status
 * @param {ApiBody} answer
 */
function answerLine(status, answer) {
  const text = el('span', {}, prose(answer.description));
  return [el(`dt.s${status[0]}`, {}, status), el('dd', {}, text, mediaTypes(answer))];
}

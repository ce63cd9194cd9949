// The socket half of the API reference (AsyncAPI 3.1): each channel with its address, and the messages of both sides.

import { el } from '../ui.js';
import { anchor, example, fields, prose, resolve, typeOf } from './schema.js';

/** @import { AsyncApi, AsyncChannel, AsyncMessage, ReferenceGroup } from '../types.d.ts' */

const EXAMPLES_MAX = 3;

/**
 * @param {AsyncApi} api
 * @returns {ReferenceGroup[]}
 */
export function messageGroups(api) {
  return Object.entries(api.channels ?? {}).map(([name, channel]) => channelGroup(api, name, channel));
}

/**
 * @param {AsyncApi} api
 * @param {string} name
 * @param {AsyncChannel} channel
 */
function channelGroup(api, name, channel) {
  const id = anchor('channel', name);
  const all = Object.entries(channel.messages ?? {});
  /** The messages that an operation lists. @type {Set<string>} */
  const listed = new Set();
  const operations = Object.values(api.operations ?? {}).filter(({ channel: own }) => own.$ref?.endsWith(`/${name}`));
  const sections = operations.map(({ action, summary, messages }) => {
    const chosen = messages
      ? messages.map((one) => /** @type {const} */ ([one.$ref?.split('/').pop() ?? '', one]))
      : all;
    for (const [key] of chosen) listed.add(key);
    // In AsyncAPI 3 the application is the server: it sends to clients and receives from them.
    const title = action === 'send' ? 'Server to client' : 'Client to server';
    const articles = chosen.map(([key, one]) => messageArticle(api, key, one));
    return el('div', {}, el('h4', {}, title), summary && el('p', {}, prose(summary)), articles);
  });
  const rest = all.filter(([key]) => !listed.has(key)).map(([key, one]) => messageArticle(api, key, one));
  const node = el(
    'section.group',
    { id },
    el('h3', {}, name),
    el('p', {}, el('code', {}, channel.address ?? '')),
    channel.description && el('p', {}, prose(channel.description)),
    parameterList(api, channel),
    sections,
    rest,
  );
  return { id, title: name, node };
}

/**
 * @param {AsyncApi} api
 * @param {AsyncChannel} channel
 */
function parameterList(api, channel) {
  const parameters = Object.entries(channel.parameters ?? {});
  if (!parameters.length) return null;
  const items = parameters.map(([key, one]) => [
    el('dt', {}, key),
    el('dd', {}, prose(resolve(api, one)?.description)),
  ]);
  return el('dl.answers', {}, items);
}

/**
 * @param {AsyncApi} api
 * @param {string} key
 * @param {AsyncMessage} reference
 */
function messageArticle(api, key, reference) {
  const message = resolve(api, reference) ?? {};
  const payload = resolve(api, message.payload?.schema ?? message.payload) ?? {};
  const summary = message.summary ?? message.title;
  const description = message.description ?? payload.description;
  const examples = (message.examples ?? []).slice(0, EXAMPLES_MAX);
  return el(
    'article.operation',
    { id: anchor('message', key), 'data-item': true },
    el('h4', {}, el('code', {}, message.name ?? key)),
    summary && el('p.summary-line', {}, prose(summary)),
    description && el('p', {}, prose(description)),
    fields(payload) ?? el('p', {}, el('code.type', {}, typeOf(payload))),
    examples.map((each) => example(each.payload)),
  );
}

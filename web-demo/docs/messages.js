// The socket half, AsyncAPI 3.0: each channel with its address, then what is sent and what is received.

import { el } from '../ui.js';
import { anchor, example, fields, prose, typeOf } from './schema.js';

export function messages(api) {
  return Object.entries(api.channels ?? {}).map(([name, channel]) => channelGroup(api, name, channel));
}

function resolve(api, node) {
  let at = node;
  for (let step = 0; at?.$ref && step < 5; step++) {
    at = at.$ref.replace(/^#\//, '').split('/').reduce((inner, part) => inner?.[part.replace(/~1/g, '/').replace(/~0/g, '~')], api);
  }
  return at ?? {};
}

function channelGroup(api, name, channel) {
  const id = anchor('channel', name);
  const parameters = Object.entries(channel.parameters ?? {});
  const all = Object.entries(channel.messages ?? {});
  const told = new Set();
  // In AsyncAPI 3 the application is the server: it sends to clients and receives from them.
  const sides = Object.values(api.operations ?? {}).filter((operation) => resolve(api, operation.channel) === channel || operation.channel?.$ref?.endsWith(`/${name}`));
  const sections = sides.map((operation) => {
    const chosen = operation.messages?.map((one) => [one.$ref?.split('/').pop(), one]) ?? all;
    for (const [key] of chosen) told.add(key);
    return el('div', {}, el('h4', {}, operation.action === 'send' ? 'Server to client' : 'Client to server'), operation.summary && el('p', {}, prose(operation.summary)), chosen.map(([key, one]) => message(api, key, one)));
  });
  const rest = all.filter(([key]) => !told.has(key));
  return { id, title: name, node: el('section.group', { id }, el('h3', {}, name),
    el('p', {}, el('code', {}, channel.address ?? '')), channel.description && el('p', {}, prose(channel.description)),
    parameters.length ? el('dl.answers', {}, parameters.map(([key, one]) => [el('dt', {}, key), el('dd', {}, prose(resolve(api, one).description))])) : null,
    sections, rest.map(([key, one]) => message(api, key, one))) };
}

function message(api, key, reference) {
  const one = resolve(api, reference);
  const payload = resolve(api, one.payload?.schema ?? one.payload);
  return el('article.operation', { id: anchor('message', key), 'data-item': true }, el('h4', {}, el('code', {}, one.name ?? key)),
    (one.summary ?? one.title) && el('p.summary-line', {}, prose(one.summary ?? one.title)), (one.description ?? payload.description) && el('p', {}, prose(one.description ?? payload.description)),
    fields(payload) ?? el('p', {}, el('code.type', {}, typeOf(payload))), (one.examples ?? []).slice(0, 3).map((each) => example(each.payload)));
}

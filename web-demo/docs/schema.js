// JSON Schema in words: a type in one line, an object as a table, examples as text. Never follows a reference twice.

import { el } from '../ui.js';

const nameOf = (reference) => decodeURIComponent(reference.split('/').pop());
export const anchor = (...parts) => parts.join('-').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');

/** Words with `code` in them. */
export function prose(text) {
  return String(text ?? '').split(/\x60([^\x60]+)\x60/).map((part, i) => (i % 2 ? el('code', {}, part) : part));
}

/** `string | null`, `Offer`, `Offer[]`, `"mute" | "ban"` */
export function typeOf(schema) {
  if (schema === true || !schema || !Object.keys(schema).length) return 'anything';
  if (schema.$ref) return el('a', { href: `#${anchor('schema', nameOf(schema.$ref))}` }, nameOf(schema.$ref));
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  for (const many of ['oneOf', 'anyOf', 'allOf']) {
    if (schema[many]) return spread(schema[many].map(typeOf), many === 'allOf' ? ' & ' : ' | ');
  }
  const types = [].concat(schema.type ?? (schema.properties ? 'object' : 'anything'));
  return spread(types.map((type) => (type === 'array' ? el('span', {}, typeOf(schema.items), '[]') : type === 'object' && schema.additionalProperties?.$ref ? el('span', {}, 'map of ', typeOf(schema.additionalProperties)) : schema.format ? `${type} (${schema.format})` : type)), ' | ');
}

function spread(parts, between) {
  return el('span', {}, parts.flatMap((part, i) => (i ? [between, part] : [part])));
}

export function limits(schema) {
  const words = [];
  if (schema.minimum !== undefined || schema.maximum !== undefined) words.push(`${schema.minimum ?? '…'} to ${schema.maximum ?? '…'}`);
  if (schema.minLength !== undefined || schema.maxLength !== undefined) words.push(`${schema.minLength ?? 0} to ${schema.maxLength ?? '…'} characters`);
  if (schema.pattern) words.push(`matches ${schema.pattern}`);
  if (schema.default !== undefined) words.push(`default ${JSON.stringify(schema.default)}`);
  return words.join(', ');
}

/** The fields of an object; a union shows one table for each of its shapes. */
export function fields(schema, depth = 0) {
  if (!schema || schema.$ref || depth > 4) return null;
  const shapes = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (shapes) {
    const tables = shapes.map((shape, i) => shape.$ref || !Object.keys(shape.properties ?? {}).length && !shape.oneOf && !shape.allOf ? null
      : el('div.shape', {}, el('h5', {}, shape.title ?? shapeName(shape) ?? `Shape ${i + 1}`), words(shape), fields(shape, depth + 1)));
    return tables.some(Boolean) || schema.properties ? el('div', {}, table(schema, depth), tables.filter(Boolean)) : null;
  }
  if (schema.type === 'array') return fields(schema.items, depth + 1);
  return table(schema, depth);
}

/** Tagged unions carry their name in a constant field: `t`, `do` or `type`. */
function shapeName(shape) {
  for (const tag of ['t', 'do', 'type', 'kind']) {
    const value = shape.properties?.[tag];
    if (value?.const ?? value?.enum?.length === 1) return value.const ?? value.enum[0];
  }
  return null;
}

function table(schema, depth) {
  const names = Object.keys(schema.properties ?? {});
  if (!names.length) return null;
  const must = new Set(schema.required ?? []);
  return el('div.table-box', {}, el('table', {}, el('tbody', {}, names.map((name) => {
    const field = schema.properties[name];
    const inner = field.properties || field.items?.properties ? fields(field, depth + 1) : null;
    return el('tr', {}, el('th', { scope: 'row' }, el('code', {}, name), !must.has(name) && el('small', {}, 'optional')),
      el('td', {}, el('code.type', {}, typeOf(field)), el('span', {}, prose([field.description, limits(field)].filter(Boolean).join(' · '))), inner));
  }))));
}

function words(schema) {
  return schema.description ? el('p', {}, prose(schema.description)) : null;
}

export function example(value) {
  return value === undefined ? null : el('pre', { tabIndex: 0 }, el('code', {}, typeof value === 'string' ? value : JSON.stringify(value, null, 2)));
}

export function schemaSections(schemas, prefix) {
  return Object.entries(schemas).sort(([a], [b]) => a.localeCompare(b)).map(([name, schema]) => {
    const id = anchor(prefix, name);
    const examples = [].concat(schema.examples ?? schema.example ?? []).slice(0, 2);
    return { id, title: name, node: el('section.group', { id }, el('article', { 'data-item': true }, el('h4', {}, name), words(schema),
      fields(schema) ?? el('p', {}, el('code.type', {}, typeOf(schema))), examples.map(example))) };
  });
}

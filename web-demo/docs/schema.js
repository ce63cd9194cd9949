// JSON Schema for people: a type as one line, an object as a table, examples as text. No reference is followed twice.

import { el } from '../ui.js';

/** @import { Child, JsonSchema, Reference, ReferenceGroup } from '../types.d.ts' */

const DEPTH_MAX = 4;
const REFERENCES_MAX = 5;
const EXAMPLES_MAX = 2;

/** @param {string} reference */
const nameOf = (reference) => decodeURIComponent(reference.split('/').pop() ?? '');

/** The id of a section. @param {string[]} parts */
export const anchor = (...parts) =>
  parts
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');

/**
 * What a reference names, in the same document.
 * @template {Reference} T
 * @param {object} api
 * @param {T | undefined} node
 * @returns {T | undefined}
 */
export function resolve(api, node) {
  let current = node;
  for (let step = 0; current?.$ref && step < REFERENCES_MAX; step++) {
    const keys = current.$ref.replace(/^#\//, '').split('/');
    /** @type {unknown} */
    let found = api;
    for (const key of keys) {
      const name = key.replace(/~1/g, '/').replace(/~0/g, '~');
      found = /** @type {Record<string, unknown> | undefined} */ (found)?.[name];
    }
    current = /** @type {T | undefined} */ (found);
  }
  return current;
}

/**
 * A text with `code` in it.
 * @param {string | undefined} text
 * @returns {Child[]}
 */
export function prose(text) {
  return (text ?? '').split(/\x60([^\x60]+)\x60/).map((part, index) => (index % 2 ? el('code', {}, part) : part));
}

/**
 * The type in one line: `string | null`, `Offer`, `Offer[]`, `"mute" | "ban"`.
 * @param {JsonSchema | boolean | undefined} schema
 * @returns {Child}
 */
export function typeOf(schema) {
  if (typeof schema !== 'object' || !Object.keys(schema).length) return 'anything';
  const { $ref, oneOf, anyOf, allOf } = schema;
  if ($ref) return el('a', { href: `#${anchor('schema', nameOf($ref))}` }, nameOf($ref));
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const shapes = oneOf ?? anyOf ?? allOf;
  if (shapes) return joined(shapes.map(typeOf), shapes === allOf ? ' & ' : ' | ');
  const types = [schema.type ?? (schema.properties ? 'object' : 'anything')].flat();
  return joined(
    types.map((type) => oneType(type, schema)),
    ' | ',
  );
}

/**
 * @param {string} type
 * @param {JsonSchema} schema
 * @returns {Child}
 */
function oneType(type, { items, additionalProperties, format }) {
  if (type === 'array') return el('span', {}, typeOf(items), '[]');
  const isMap = type === 'object' && typeof additionalProperties === 'object' && additionalProperties.$ref;
  if (isMap) return el('span', {}, 'map of ', typeOf(additionalProperties));
  return format ? `${type} (${format})` : type;
}

/**
 * @param {Child[]} parts
 * @param {string} between
 */
function joined(parts, between) {
  return el(
    'span',
    {},
    parts.flatMap((part, index) => (index ? [between, part] : [part])),
  );
}

/** @param {JsonSchema} schema */
export function limits(schema) {
  const { minimum, maximum, minLength, maxLength, pattern } = schema;
  const texts = [];
  if (minimum !== undefined || maximum !== undefined) texts.push(`${minimum ?? '…'} to ${maximum ?? '…'}`);
  if (minLength !== undefined || maxLength !== undefined) {
    texts.push(`${minLength ?? 0} to ${maxLength ?? '…'} characters`);
  }
  if (pattern) texts.push(`matches ${pattern}`);
  if (schema.default !== undefined) texts.push(`default ${JSON.stringify(schema.default)}`);
  return texts.join(', ');
}

/**
 * The fields of an object; a union has one table for each of its shapes.
 * @param {JsonSchema | undefined} schema
 * @returns {HTMLElement | null}
 */
export function fields(schema, depth = 0) {
  if (!schema || schema.$ref || depth > DEPTH_MAX) return null;
  const shapes = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (shapes) {
    const tables = shapes.map((shape, index) => shapeTable(shape, index, depth)).filter(Boolean);
    return tables.length || schema.properties ? el('div', {}, propertyTable(schema, depth), tables) : null;
  }
  if (schema.type === 'array') return fields(schema.items, depth + 1);
  return propertyTable(schema, depth);
}

/**
 * @param {JsonSchema} shape
 * @param {number} index
 * @param {number} depth
 */
function shapeTable(shape, index, depth) {
  const isEmpty = !Object.keys(shape.properties ?? {}).length && !shape.oneOf && !shape.allOf;
  if (shape.$ref || isEmpty) return null;
  const title = shape.title ?? shapeName(shape) ?? `Shape ${index + 1}`;
  return el('div.shape', {}, el('h5', {}, title), description(shape), fields(shape, depth + 1));
}

/**
 * The name of a shape of a tagged union, which is in a constant field: `t`, `do`, `type` or `kind`.
 * @param {JsonSchema} shape
 */
function shapeName(shape) {
  for (const tag of ['t', 'do', 'type', 'kind']) {
    const field = shape.properties?.[tag];
    const name = field?.const ?? (field?.enum?.length === 1 ? field.enum[0] : undefined);
    if (name !== undefined) return String(name);
  }
  return null;
}

/**
 * @param {JsonSchema} schema
 * @param {number} depth
 */
function propertyTable(schema, depth) {
  const properties = Object.entries(schema.properties ?? {});
  if (!properties.length) return null;
  const required = new Set(schema.required ?? []);
  const rows = properties.map(([name, field]) => {
    const inner = field.properties || field.items?.properties ? fields(field, depth + 1) : null;
    const texts = [field.description, limits(field)].filter(Boolean).join(' · ');
    const optional = !required.has(name) && el('small', {}, 'optional');
    return el(
      'tr',
      {},
      el('th', { scope: 'row' }, el('code', {}, name), optional),
      el('td', {}, el('code.type', {}, typeOf(field)), el('span', {}, prose(texts)), inner),
    );
  });
  return el('div.table-box', {}, el('table', {}, el('tbody', {}, rows)));
}

/** @param {JsonSchema} schema */
function description(schema) {
  return schema.description ? el('p', {}, prose(schema.description)) : null;
}

/** @param {unknown} value */
export function example(value) {
  if (value === undefined) return null;
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return el('pre', { tabIndex: 0 }, el('code', {}, text));
}

/**
 * @param {Record<string, JsonSchema>} schemas
 * @param {string} prefix
 * @returns {ReferenceGroup[]}
 */
export function schemaGroups(schemas, prefix) {
  const sorted = Object.entries(schemas).sort(([a], [b]) => a.localeCompare(b));
  return sorted.map(([name, schema]) => {
    const id = anchor(prefix, name);
    const examples = [schema.examples ?? schema.example ?? []].flat().slice(0, EXAMPLES_MAX);
    const article = el(
      'article',
      { 'data-item': true },
      el('h4', {}, name),
      description(schema),
      fields(schema) ?? el('p', {}, el('code.type', {}, typeOf(schema))),
      examples.map(example),
    );
    return { id, title: name, node: el('section.group', { id }, article) };
  });
}

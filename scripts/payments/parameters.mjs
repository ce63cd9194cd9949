// Compares the parameters that the provider of the tests accepts with the published OpenAPI document of the original.
//
//   node parameters.mjs DOCUMENT BASE
//
// Parameters that are newer than the document are listed by the provider itself, each with the page that describes it.

import { readFile } from "node:fs/promises";

const [file, base] = process.argv.slice(2);
const document = JSON.parse(await readFile(file, "utf8"));
const rows = await (await fetch(`${base}/_control/parameters`)).json();

/** The names of an object schema, nested ones as `a[b]`; `a[*]` has any keys. */
function names(properties, inside = (name) => name) {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const whole = inside(name);
    const shapes = schema.anyOf ?? [schema];
    const nested = shapes.flatMap((shape) => names(shape.properties ?? {}, (inner) => `${whole}[${inner}]`));
    const isObject = shapes.some((shape) => shape.type === "object");
    return [whole, ...(isObject ? [`${whole}[*]`] : []), ...nested];
  });
}

const wrong = [];
let compared = 0;
for (const { method, path, parameters, newer } of rows) {
  const operation = document.paths[path]?.[method];
  if (!operation) {
    wrong.push(`${method} ${path} is not in the document`);
    continue;
  }
  const form = operation.requestBody?.content["application/x-www-form-urlencoded"]?.schema.properties ?? {};
  const query = Object.fromEntries(
    (operation.parameters ?? []).filter((one) => one.in === "query").map((one) => [one.name, one.schema]),
  );
  const known = new Set(names(method === "get" ? query : form));
  for (const name of parameters) {
    compared += 1;
    if (!known.has(name)) wrong.push(`${method} ${path} has no parameter ${name}`);
  }
  for (const [name, page] of newer) {
    if (known.has(name)) wrong.push(`${method} ${path}: ${name} is in the document by now`);
    if (!page.startsWith("https://docs.stripe.com/")) wrong.push(`${name} names no page of the documentation`);
  }
}
if (compared < 30) wrong.push(`only ${compared} parameters were compared`);
wrong.forEach((line) => console.error(line));
process.exit(wrong.length > 0 ? 1 : 0);

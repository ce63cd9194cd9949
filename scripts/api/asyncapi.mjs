// Reads an AsyncAPI document and prints what is wrong with it. Exit code 1: it has an error or a warning.
import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';

const SEVERITIES = ['error', 'warning', 'information', 'hint'];
const { document, diagnostics } = await new Parser().parse(await readFile(process.argv[2], 'utf8'));
const wrong = diagnostics.filter(({ severity }) => severity <= 1);
for (const { severity, code, message, path } of wrong) {
  console.error(`${SEVERITIES[severity]} ${code}: ${message} (${path.join('.')})`);
}
if (!document) console.error('the document could not be read');
process.exit(document && !wrong.length ? 0 : 1);

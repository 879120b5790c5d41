import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readInventory } from '../../../src/engine/read/inventory.ts';
import { diagnosticsOf, header, marked, read, said } from './reading.ts';

/**
 * A mistake: its name, the document (« » around the characters that must be underlined; `header` goes before it unless it has
 * its own), the code, what is said, and what to write instead.
 */
export type Row = readonly [name: string, text: string, code: string, message: string, hint: string];

const file = path.resolve(import.meta.dirname, '../../../runbooks/services.yaml');
const inventory = readInventory('services.yaml', readFileSync(file));

/** Each gives exactly one diagnostic, at the right characters, and everything else in the document is fine. */
export function holdMistakes(title: string, rows: readonly Row[]): void {
  describe(title, () => {
    test.each(rows)('%s', async (_name, text, code, message, hint) => {
      const whole = /^«?(apiVersion|%YAML|- )/.test(text) ? text : header + text;
      const { text: document, start, end } = marked(whole);
      const found = diagnosticsOf(await read(document, inventory.ok ? inventory.value : undefined));
      expect(found.map(said)).toEqual([
        { code, at: `${start}: ${document.slice(start, end)}`, message, hint },
      ]);
    });
  });
}

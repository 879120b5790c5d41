import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../../src/engine/run');

/** Every module that a file leads to at run time, with the packages it asks for. */
function reach(entry: string): { readonly files: readonly string[]; readonly packages: readonly string[] } {
  const files = new Set([path.join(root, entry)]);
  const packages = new Set<string>();
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    for (const [, names, from] of text.matchAll(/^(?:import|export)\s+([^;]*?)\s*from\s+'([^']+)';/gms)) {
      const onlyTypes = names?.startsWith('type ') || /^\{(?:\s*type [^,}]+,?)*\s*\}$/.test(names ?? '');
      if (from === undefined || onlyTypes) continue;
      const target = path.resolve(path.dirname(file), from);
      if (from.startsWith('.') && existsSync(target)) files.add(target);
      else packages.add(from);
    }
  }
  return { files: [...files], packages: [...packages] };
}

test.each(['decide.ts', 'evolve.ts'])('%s needs no Node module, no clock and no randomness', (entry) => {
  const { files, packages } = reach(entry);
  expect(files.length).toBeGreaterThan(5);
  expect(packages.filter((name) => name.startsWith('node:'))).toEqual([]);
  const impure = files.filter((file) =>
    /\bDate\.now\(|new Date\(\)|Math\.random|performance\.|setTimeout|process\.|crypto/.test(
      readFileSync(file, 'utf8'),
    ),
  );
  expect(impure).toEqual([]);
});

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stackFolder, statePath } from './paths.ts';

/** Hash of the sources that decide what a new cluster holds. */
export function fingerprint(): string {
  const hash = createHash('sha256');
  for (const folder of ['.', 'manifests', 'doubles', 'doubles/lib', 'doubles/ess']) {
    const files = readdirSync(path.join(stackFolder(), folder)).filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
    );
    for (const name of files.sort()) hash.update(readFileSync(path.join(stackFolder(), folder, name)));
  }
  return hash.digest('hex');
}

/** Was the cluster ever complete? */
export function wasSeeded(): boolean {
  return existsSync(statePath('seeded'));
}

/** Does the cluster hold what these sources say? */
export function isCurrentSeed(): boolean {
  return wasSeeded() && readFileSync(statePath('seeded'), 'utf8') === fingerprint();
}

/** Notes that it does. */
export function recordSeed(): void {
  writeFileSync(statePath('seeded'), fingerprint());
}

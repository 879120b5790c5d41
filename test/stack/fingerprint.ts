import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stackFolder, statePath } from './paths.ts';

const folders = ['manifests', 'charts', 'doubles', 'doubles/lib', 'doubles/ess'];
const files = [
  'cassandra',
  'content',
  'key-format',
  'key-rows',
  'keyspaces',
  'jwt-plugin',
  'nats-streams',
  'openbao-content',
  'seed-data',
];

/** Hash of the sources that decide what a new cluster holds. */
export function fingerprint(): string {
  const hash = createHash('sha256');
  const below = folders.flatMap((folder) =>
    readdirSync(path.join(stackFolder(), folder))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => path.join(folder, name)),
  );
  for (const file of [...below, ...files.map((name) => `${name}.ts`)].sort())
    hash.update(readFileSync(path.join(stackFolder(), file)));
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

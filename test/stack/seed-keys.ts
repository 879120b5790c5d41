import { appendFileSync } from 'node:fs';
import path from 'node:path';
import type { Connection } from './api.ts';
import { withCassandra } from './cassandra.ts';
import { readKeySet } from './key-format.ts';
import { insertKeyRows, insertSecrets, makeNamespace, makeSecret } from './key-rows.ts';
import { ledgerFolder } from './manifests/double.ts';
import { readDocument } from './openbao-content.ts';

/** How much is added to what the cluster holds. */
export interface SeedSize {
  namespaces: number;
  neksPerNamespace: number;
  /** In all, spread over the namespaces. */
  secrets: number;
  /** Of the namespaces' names; `bulk` unless given. */
  prefix?: string;
}

// So many namespaces are in memory at once.
const chunkSize = 200;

/** Adds namespaces with keys under the active master key, and secrets under those keys. */
export async function seedKeys(connection: Connection, size: SeedSize): Promise<void> {
  const { namespaces, neksPerNamespace, secrets, prefix = 'bulk' } = size;
  const [master] = readKeySet((await readDocument(connection)).fields.keys ?? '');
  if (master === undefined) throw new Error('the master key document has no key');
  const since = Date.now() - 80 * 24 * 3600 * 1000;
  await withCassandra(connection, async (client) => {
    for (let start = 0; start < namespaces; start += chunkSize) {
      const count = Math.min(chunkSize, namespaces - start);
      const chunk = Array.from({ length: count }, (_, index) =>
        makeNamespace(`${prefix}-${String(start + index).padStart(6, '0')}`, {
          keys: neksPerNamespace,
          master,
          since,
        }),
      );
      await insertKeyRows(
        client,
        chunk.flatMap(({ rows }) => rows),
      );
      const made = chunk.flatMap((namespace, index) =>
        Array.from({ length: shareOf(secrets, namespaces, start + index) }, () => makeSecret(namespace)),
      );
      await insertSecrets(client, made);
      const lines = made.map(({ value: _, version: __, encryptedByKid: ___, ...entry }) =>
        JSON.stringify({ at: 0, ...entry }),
      );
      appendFileSync(
        path.join(ledgerFolder('ess-api'), 'seed.jsonl'),
        lines.map((line) => `${line}\n`).join(''),
      );
    }
  });
}

/** How many of all items fall to one of the shares, so that the sum is right. */
function shareOf(items: number, shares: number, index: number): number {
  return Math.floor(((index + 1) * items) / shares) - Math.floor((index * items) / shares);
}

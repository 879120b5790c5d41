import { readdirSync } from 'node:fs';
import path from 'node:path';
import { compactDecrypt } from 'jose';
import { type Canary, secretKey, secretText } from '../../cli/canaries.ts';
import { type MasterKeyFields, readKeySet } from '../key-format.ts';
import { loadSeedData } from '../seed-data.ts';
import { keptVersions } from './key-world.ts';

/** What lies in the cluster and must be nowhere else: every kept version's keys, some namespace keys, the passwords. */
export async function plantedSecrets(): Promise<readonly Canary[]> {
  const seed = await loadSeedData();
  const documents = [seed.masterKeys, ...(await keptVersions())];
  const masterKeys = new Map(documents.flatMap(keysOf));
  const [first] = readKeySet(seed.masterKeys.keys);
  const namespaceKeys = await Promise.all(
    seed.keyRows.slice(0, 10).map(async ({ kid, encryptedKey }) => {
      const { plaintext } = await compactDecrypt(encryptedKey, first?.bytes ?? Buffer.alloc(32));
      return secretKey(`namespace key ${kid}`, Buffer.from(Buffer.from(plaintext).toString(), 'base64url'));
    }),
  );
  const passwords = Object.entries(seed.passwords).map(([name, text]) =>
    secretText(`password of ${name}`, text),
  );
  return [...masterKeys.values(), ...namespaceKeys, ...passwords];
}

function keysOf(fields: MasterKeyFields): [text: string, canary: Canary][] {
  return (['keys', 'private_jwks'] as const).flatMap((set) =>
    readKeySet(fields[set]).map(({ kid, bytes }): [string, Canary] => [
      bytes.toString('hex'),
      secretKey(`${set}/${kid}`, bytes),
    ]),
  );
}

/** Every file below a folder. */
export function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import {
  keyDetailsJwe,
  type MasterKeyFields,
  masterKey,
  masterKeyFields,
  type NamespaceKeyRow,
  timeUuid,
} from './key-format.ts';
import { type ApiKey, makeApiKey, makeNamespace, makeSecret, type Secret } from './key-rows.ts';
import { keyspaces } from './keyspaces.ts';
import { statePath } from './paths.ts';

/** What the key material of a new cluster is; the same at every `reset`, so that what has loaded it may go on. */
export interface SeedData {
  /** Of the services' roles, by keyspace. */
  passwords: Record<string, string>;
  /** The token that ESS's double takes besides none. */
  bearer: string;
  masterKeys: MasterKeyFields;
  auditKeys: object;
  keyRows: NamespaceKeyRow[];
  secrets: Secret[];
  apiKeys: ApiKey[];
}

const day = 24 * 3600 * 1000;
const size = { namespaces: 20, keysPerNamespace: 5, secretsPerNamespace: 3, apiKeys: 6 };

/** The seed of this cluster, made at its first start. */
export async function loadSeedData(): Promise<SeedData> {
  const file = statePath('seed.json');
  if (!existsSync(file)) {
    writeFileSync(`${file}.new`, JSON.stringify(await makeSeedData()), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  return JSON.parse(readFileSync(file, 'utf8')) as SeedData;
}

async function makeSeedData(): Promise<SeedData> {
  const installed = Date.now() - 100 * day;
  const kid = timeUuid(installed);
  // As the chart's migrations do it: one name, and bytes of its own for each set.
  const [key, privateKey] = [masterKey(kid), masterKey(kid)];
  const namespaces = Array.from({ length: size.namespaces }, (_, index) =>
    makeNamespace(index === 0 ? 'nvcf' : `tenant-${String(index).padStart(2, '0')}`, {
      keys: size.keysPerNamespace,
      master: key,
      since: installed + day,
    }),
  );
  const details = (index: number) => ({ policies: [{ scopes: ['invoke_function'] }], number: index });
  return {
    passwords: Object.fromEntries(keyspaces.map(({ name }) => [name, randomBytes(18).toString('base64url')])),
    bearer: randomBytes(32).toString('base64url'),
    masterKeys: masterKeyFields([key], [privateKey]),
    auditKeys: auditKeys(installed),
    keyRows: namespaces.flatMap(({ rows }) => rows),
    secrets: namespaces.flatMap((namespace) =>
      Array.from({ length: size.secretsPerNamespace }, () => makeSecret(namespace)),
    ),
    apiKeys: await Promise.all(
      Array.from({ length: size.apiKeys }, async (_, index) =>
        makeApiKey(`account-${index}`, await keyDetailsJwe(privateKey, details(index))),
      ),
    ),
  };
}

function auditKeys(installed: number): object {
  const kid = timeUuid(installed);
  const keys = JSON.stringify({ keys: [{ kid, key: randomBytes(32).toString('base64') }] });
  return { keys: Buffer.from(keys).toString('base64'), current_kid: kid };
}

import { readFileSync } from 'node:fs';
import type { Connection } from './api.ts';
import { pki } from './certificates.ts';
import { ensureJwtEngine } from './jwt-plugin.ts';
import type { MasterKeyFields } from './key-format.ts';
import { apiKeysKeyspace, essKeyspace } from './keyspaces.ts';
import { logins, openbaoAudience } from './manifests/logins.ts';
import { type AskOpenBao, openBaoSession } from './openbao.ts';
import type { SeedData } from './seed-data.ts';
import { waitFor } from './shell.ts';

/** Where the master key document lies. */
export const masterKeyPath = { mount: 'services/all/kv', path: 'encryption/keys/stored_data' };

/** Mounts, policies, logins, and the documents that no procedure changes; key-value mounts of services that tests added go. */
export async function ensureOpenBaoContent(connection: Connection, seed: SeedData): Promise<void> {
  const ask = await openBaoSession(connection);
  const mounts = [...new Set(logins.flatMap((login) => login.mounts))];
  const { data: present } = (await ask('GET', 'sys/mounts')) as { data: Record<string, { type: string }> };
  for (const mount of mounts) {
    if (present[`${mount}/`] === undefined)
      await ask('POST', `sys/mounts/${mount}`, { type: 'kv', options: { version: '2' } });
    const policy = `path "${mount}/*" { capabilities = ["read", "list"] }`;
    await ask('PUT', `sys/policies/acl/${policyOf(mount)}`, { policy });
  }
  for (const [name, { type }] of Object.entries(present)) {
    const mount = name.slice(0, -1);
    if (type === 'kv' && mount.startsWith('services/') && !mounts.includes(mount))
      await ask('DELETE', `sys/mounts/${mount}`);
  }
  await ensureLogins(ask);
  await ensureJwtEngine(ask, seed);
  const documents: [mount: string, path: string, data: object][] = [
    ['services/all/kv', 'encryption/keys/audit', seed.auditKeys],
    ['services/ess-api/kv', 'tokens/probe', { token: seed.bearer }],
    ['services/ess-api/kv', 'cassandra/creds', credentials(seed, essKeyspace)],
    ['services/api-keys-api/kv', 'cassandra/creds', credentials(seed, apiKeysKeyspace)],
  ];
  for (const [mount, path, data] of documents) await ensureDocument(ask, mount, path, data);
}

/** The master key document, with its versions counted anew and blind writes allowed, as after an installation. */
export async function restoreMasterKeys(connection: Connection, fields: MasterKeyFields): Promise<void> {
  const ask = await openBaoSession(connection);
  const { mount, path } = masterKeyPath;
  await ask('POST', `${mount}/config`, { cas_required: false, max_versions: 0 });
  if (await isFirstVersion(ask, fields)) return;
  await ask('DELETE', `${mount}/metadata/${path}`);
  await ask('POST', `${mount}/data/${path}`, { data: fields });
}

/** The fields of a key-value document. */
export async function readDocument(
  connection: Connection,
  { mount, path }: { mount: string; path: string } = masterKeyPath,
): Promise<{ fields: Record<string, string>; version: number }> {
  const ask = await openBaoSession(connection);
  const { data } = (await ask('GET', `${mount}/data/${path}`)) as {
    data: { data: Record<string, string>; metadata: { version: number } };
  };
  return { fields: data.data, version: data.metadata.version };
}

async function isFirstVersion(ask: AskOpenBao, fields: MasterKeyFields): Promise<boolean> {
  const { mount, path } = masterKeyPath;
  try {
    const { data } = (await ask('GET', `${mount}/metadata/${path}`)) as {
      data: { cas_required: boolean; max_versions: number; current_version: number };
    };
    if (data.cas_required || data.max_versions !== 0 || data.current_version !== 1) return false;
    const stored = (await ask('GET', `${mount}/data/${path}`)) as { data: { data: unknown } };
    return sameDocument(stored.data.data, fields);
  } catch {
    return false;
  }
}

async function ensureLogins(ask: AskOpenBao): Promise<void> {
  const { data: present } = (await ask('GET', 'sys/auth')) as { data: Record<string, unknown> };
  if (present['jwt/'] === undefined) await ask('POST', 'sys/auth/jwt', { type: 'jwt' });
  await ask('POST', 'auth/jwt/config', {
    jwt_validation_pubkeys: [readFileSync(pki('service-account.pub'), 'utf8')],
    jwt_supported_algs: ['ES256'],
  });
  for (const { role, account, mounts } of logins) {
    await ask('POST', `auth/jwt/role/${role}`, {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: [openbaoAudience],
      bound_subject: `system:serviceaccount:${account}`,
      token_policies: mounts.map(policyOf),
      token_period: 43_200,
    });
  }
}

async function ensureDocument(ask: AskOpenBao, mount: string, path: string, data: object): Promise<void> {
  const stored = await ask('GET', `${mount}/data/${path}`).catch(() => undefined);
  if (sameDocument((stored as { data?: { data: unknown } } | undefined)?.data?.data, data)) return;
  // A new mount refuses writes until it has made itself version 2.
  await waitFor(() => ask('POST', `${mount}/data/${path}`, { data }), {
    what: `${mount}/${path} to be written`,
    seconds: 30,
  });
}

function sameDocument(stored: unknown, wanted: object): boolean {
  const sorted = (value: object) => JSON.stringify(Object.entries(value).sort());
  return typeof stored === 'object' && stored !== null && sorted(stored) === sorted(wanted);
}

function credentials({ passwords }: SeedData, { name, role }: { name: string; role: string }): object {
  return { username: role, password: passwords[name] };
}

function policyOf(mount: string): string {
  return `${mount.replaceAll('/', '-')}-ro`;
}

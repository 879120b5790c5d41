import { Secret } from '../../src/engine/secret.ts';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { rootToken } from '../../src/sandbox/seed/cluster.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import type { NekRow } from '../../src/services/nek-store.ts';
import { documentOf, encoded, setOf } from '../sandbox/keys-rig.ts';
import { never } from '../sandbox/rig.ts';
import { seed } from './key-world.ts';

const namespace = 'vault-system';
export const document = 'services/all/kv/data/encryption/keys/stored_data';

/** An administrator of OpenBao does something over its HTTP API; gives the answer. */
export async function bao(
  sandbox: Sandbox,
  call: string,
  body: object = {},
): Promise<Record<string, unknown>> {
  const [method = '', path = ''] = call.split(' ');
  const { http, kubernetes } = sandbox.services;
  const options = { namespace, labelSelector: 'component=server,openbao-active=true' };
  const [pod] = await kubernetes.list(kinds.pods, options);
  const { status, body: text } = await http.send(
    {
      method: method as 'POST' | 'PUT' | 'DELETE',
      url: `http://localhost:8200/v1/${path}`,
      through: { namespace, pod: pod?.metadata.name ?? '', port: 8200 },
      headers: {
        'content-type': 'application/json',
        'x-vault-token': Secret.fromText('token', rootToken(seed)),
      },
      body: Secret.fromText('body', JSON.stringify(body)),
    },
    never,
  );
  if (status >= 300) throw new Error(`${call}: ${status} ${text}`);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** Somebody writes another document. */
export function edit(sandbox: Sandbox, change: (data: Readonly<Record<string, unknown>>) => object): void {
  const written = sandbox.control.editKv({ data: { ...change(documentOf(sandbox)) } });
  if (!('version' in written)) throw new Error(JSON.stringify(written));
}

type Jwk = ReturnType<typeof setOf>[number];

/** Somebody writes the document with other members in `keys`, and in `private_jwks` when told. */
export function editKeys(
  sandbox: Sandbox,
  change: (keys: readonly Jwk[]) => readonly object[],
  sets: readonly ('keys' | 'private_jwks')[] = ['keys'],
): void {
  edit(sandbox, (data) => ({
    ...data,
    ...Object.fromEntries(sets.map((set) => [set, encoded(change(setOf(data, set)))])),
  }));
}

/** A row of the simulated table, always the same one. */
export function someRow({ inspect }: Sandbox): NekRow {
  const [row] = inspect.nekRows('nvcf');
  if (row === undefined) throw new Error('no row');
  return row;
}

export function spoilRow(sandbox: Sandbox, set: Parameters<Sandbox['control']['updateRow']>[1]): NekRow {
  const row = someRow(sandbox);
  sandbox.control.updateRow(row, set);
  return row;
}

import { expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { prepareWorld } from './key-world.ts';
import { createRig } from './rig.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

const notary = { mount: 'services/nvcf-notary/kv', path: 'keys/signing-key' };

/** The Notary's key with the first character of its private part lost. */
function shorten({ control, inspect }: Sandbox): void {
  const { keys, ...rest } = inspect.secret(notary)?.data ?? {};
  const set = JSON.parse(Buffer.from(String(keys), 'base64').toString('utf8')) as { keys: { d: string }[] };
  for (const jwk of set.keys) jwk.d = jwk.d.slice(1);
  control.editKv({ ...notary, data: { ...rest, keys: base64(JSON.stringify(set)) } });
}

async function forgetUser({ services }: Sandbox): Promise<void> {
  const ref = { kind: kinds.secrets, namespace: 'nvcf', name: 'nvcr-pull-secret' };
  const json = JSON.stringify({ auths: { 'nvcr.io': { auth: base64('canary-key') } } });
  await services.kubernetes.patch(ref, {
    type: 'merge',
    body: { data: { '.dockerconfigjson': base64(json) } },
  });
}

test.each<
  readonly [string, (sandbox: Sandbox) => void | Promise<void>, readonly string[], readonly string[]]
>([
  ['notary-key-check', shorten, [], ['d has 42 characters, P-256 wants 43', 'restart the Notary Service']],
  ['registry-credentials', forgetUser, [], ['nvcr.io: auth: decoded, it has no colon', 'oauthtoken']],
  [
    'check-certificates',
    () => undefined,
    ['minDays=9999'],
    ['nvcf/stargate-quic-tls: it expires on 2027-03-01'],
  ],
  [
    'vault-agent-login',
    ({ control }) => {
      for (const at of [0, 1, 2]) control.seal('vault-system', `openbao-server-${at}`);
    },
    ['service=nvcf-api'],
    ['0 of 3 unsealed, none active'],
  ],
])('%s tells bad news with exit code 1, and no secret', async (name, change, inputs, said) => {
  const world = await prepareWorld(change);
  const given = inputs.flatMap((value) => ['--input', value]);
  const { code, stdout, stderr } = await createRig().run([
    'exec',
    name,
    '--sandbox',
    '--yes',
    '--world',
    world,
    ...given,
  ]);
  expect(code, stderr).toBe(1);
  for (const text of said) expect(stderr).toContain(text);
  expect(stdout + stderr).not.toContain('canary');
  expect(stdout + stderr).not.toContain(base64('canary-key'));
});

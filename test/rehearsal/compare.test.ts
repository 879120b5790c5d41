import { expect, onTestFinished, test } from 'vitest';
import { differences, flatten } from '../../src/rehearsal/compare.ts';
import { ignored } from '../../src/rehearsal/ignored.ts';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { documentOf, setOf } from '../sandbox/keys-rig.ts';
import { never } from '../sandbox/rig.ts';

function open(): Sandbox {
  const sandbox = openSandbox({ seed: 1, neks: { namespaces: 2, each: 2 } });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** What the change of one thing is seen as. */
async function seen(change: (sandbox: Sandbox) => unknown, after = 0): Promise<readonly string[]> {
  const sandbox = open();
  const before = flatten(sandbox.inspect.fields());
  await change(sandbox);
  await sandbox.services.clock.sleep(after, never);
  return differences(before, flatten(sandbox.inspect.fields())).map(
    ({ subject, field, before: was, after: is }) => `${subject} ${field}: ${was} → ${is}`,
  );
}

const api = { kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' };

test('a world in which nothing is done is the same after three days, and the same when it is made again', async () => {
  expect(await seen(() => undefined, 3 * 86_400_000)).toEqual([]);
  expect(differences(flatten(open().inspect.fields()), flatten(open().inspect.fields()))).toEqual([]);
});

test('a pod that is replaced is the same pod', async () => {
  const replaced = async ({ services }: Sandbox) => {
    const [pod] = await services.kubernetes.list(kinds.pods, { namespace: 'nvcf' });
    const ref = { kind: kinds.pods, namespace: 'nvcf', name: pod?.metadata.name ?? '' };
    await services.kubernetes.delete(ref, {});
  };
  expect(await seen(replaced, 15 * 60_000)).toEqual([]);
});

test.each<[string, (sandbox: Sandbox) => unknown, RegExp]>([
  [
    'a replica count',
    ({ services }) => services.kubernetes.patch(api, { type: 'merge', body: { spec: { replicas: 2 } } }),
    /^Deployment nvcf\/nvcf-api spec\.replicas: 1 → 2$/,
  ],
  [
    'an annotation',
    ({ services }) =>
      services.kubernetes.patch(api, { type: 'merge', body: { metadata: { annotations: { a: 'b' } } } }),
    /^Deployment nvcf\/nvcf-api metadata\.annotations\.a: undefined → b$/,
  ],
  [
    'a ConfigMap',
    ({ services }) =>
      services.kubernetes.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'more', namespace: 'nvcf' },
        data: { a: 'b' },
      }),
    /^ConfigMap nvcf\/more data\.a: undefined → b$/,
  ],
  [
    'a secret of OpenBao',
    (sandbox) => sandbox.control.editKv({ data: { other: 'told to nobody' } }),
    /stored_data data\.other: undefined → sha256:[0-9a-f]{12}$/,
  ],
  [
    'a sealed server',
    ({ control }) => control.seal('vault-system', 'openbao-server-1'),
    /^OpenBao vault-system sealed\.openbao-server-1: false → true$/,
  ],
  [
    'a stopped node',
    ({ control }) => control.stopNode('cassandra-1'),
    /^Cassandra stopped\[0\]: undefined → cassandra-1$/,
  ],
  [
    'a dirty migration',
    ({ control }) => control.ledger('nvcf_api', [{ version: 42, dirty: true }]),
    /^Cassandra ledger\.nvcf_api.*dirty: false → true$/,
  ],
  [
    'a secret in ESS',
    ({ control }) => control.writeSecret({ path: 'functions/f9/a', value: 'told to nobody' }),
    /^Secrets in ESS .*functions\/f9\/a: undefined → sha256:/,
  ],
  [
    'a local file',
    ({ services }) => services.files.create('/nowhere/kept.age', Buffer.from('x')),
    /^Local files \/nowhere\/kept\.age: undefined → made$/,
  ],
])('%s that changes is seen, and what is secret is not', async (_name, change, wanted) => {
  const lines = await seen(change);
  expect(
    lines.some((line) => wanted.test(line)),
    lines.join('\n'),
  ).toBe(true);
  expect(lines.join('\n')).not.toContain('told to nobody');
});

test('no key and no password stands in what is compared', () => {
  const sandbox = open();
  const text = JSON.stringify(sandbox.inspect.fields());
  for (const name of ['keys', 'private_jwks'] as const)
    for (const { k } of setOf(documentOf(sandbox), name)) expect(text).not.toContain(k);
  expect(text).not.toContain('s.sandbox-root-1');
});

test('everything that is not compared has a reason', () => {
  for (const { why } of ignored) expect(why.length).toBeGreaterThan(15);
});

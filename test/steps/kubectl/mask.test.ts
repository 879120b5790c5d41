import { describe, expect, test } from 'vitest';
import type { KubernetesObject } from '../../../src/services/kubernetes.ts';
import { diffObjects } from '../../../src/steps/kubectl/diff.ts';
import { holdsSecret, looksSecret, MASK, masked } from '../../../src/steps/kubectl/mask.ts';

const canary = 'canary-4b1d';
const object = (parts: object) =>
  ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'x', uid: 'u', resourceVersion: '1' },
    ...parts,
  }) as never as KubernetesObject;

describe('masked', () => {
  test('hides every value of a Secret and keeps its keys', () => {
    const shown = masked({
      kind: 'Secret',
      data: { a: canary, b: canary },
      stringData: { c: canary },
      type: 'Opaque',
    });
    expect(shown).toEqual({
      kind: 'Secret',
      data: { a: MASK, b: MASK },
      stringData: { c: MASK },
      type: 'Opaque',
    });
  });

  test('hides the copy of a manifest that kubectl leaves in an annotation', () => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': canary, team: 'a' };
    expect(masked({ kind: 'Secret', metadata: { annotations } })).toEqual({
      kind: 'Secret',
      metadata: { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': MASK, team: 'a' } },
    });
  });

  test('hides literal values of variables whose names say that they are secrets, wherever they stand', () => {
    const env = [
      { name: 'DB_PASSWORD', value: canary },
      { name: 'MODE', value: 'fast' },
      { name: 'API_KEY', valueFrom: { x: 1 } },
    ];
    const pod = { kind: 'Deployment', spec: { template: { spec: { containers: [{ name: 'main', env }] } } } };
    expect(JSON.stringify(masked(pod))).not.toContain(canary);
    expect(JSON.stringify(masked(pod))).toContain('"value":"fast"');
    expect(holdsSecret(pod)).toBe(true);
    expect(holdsSecret({ env: [env[1] ?? null, env[2] ?? null] })).toBe(false);
  });

  test('leaves a ConfigMap alone', () => {
    const map = { kind: 'ConfigMap', data: { token: 'not a secret here' } };
    expect(masked(map)).toEqual(map);
  });
});

test.each([
  ['DB_PASSWORD', true],
  ['VAULT_TOKEN', true],
  ['apiKey', true],
  ['NKEY_SEED', true],
  ['MODE', false],
  ['REPLICAS', false],
  ['KEYSPACE', false],
])('%s looks like a secret: %s', (name, verdict) => {
  expect(looksSecret(name)).toBe(verdict);
});

describe('diffObjects', () => {
  test('shows what differs, by name in lists, and nothing that only the API server writes', () => {
    const before = object({
      metadata: { name: 'x', uid: 'u', resourceVersion: '1', managedFields: [1] },
      spec: {
        containers: [
          { name: 'a', image: '1' },
          { name: 'b', image: '1' },
        ],
      },
      status: { n: 1 },
    });
    const after = object({
      metadata: { name: 'x', uid: 'u', resourceVersion: '2', managedFields: [2] },
      spec: {
        containers: [
          { name: 'a', image: '1' },
          { name: 'b', image: '2' },
        ],
      },
      status: { n: 2 },
    });
    expect(diffObjects(before, after)).toEqual([
      { path: 'spec.containers[b].image', before: '1', after: '2' },
    ]);
  });

  test('writes keys with dots in brackets', () => {
    const after = object({ metadata: { name: 'x', annotations: { 'runbook.io/op': '1' } } });
    const before = object({ metadata: { name: 'x', annotations: {} } });
    expect(diffObjects(before, after)).toEqual([{ path: 'metadata.annotations[runbook.io/op]', after: '1' }]);
  });

  test('never shows a value of a Secret, nor of a variable that looks like one', () => {
    const secret = (value: string) =>
      object({ kind: 'Secret', data: { a: value }, metadata: { name: value } });
    expect(
      JSON.stringify(diffObjects(secret('x'), object({ kind: 'Secret', data: { a: canary } }))),
    ).not.toContain(canary);
    expect(
      JSON.stringify(diffObjects(undefined, object({ kind: 'Secret', data: { a: canary } }))),
    ).not.toContain(canary);
    const env = (value: string) => object({ spec: { env: [{ name: 'A_TOKEN', value }] } });
    expect(diffObjects(env('old'), env(canary))).toEqual([
      { path: 'spec.env[A_TOKEN].value', before: MASK, after: MASK },
    ]);
    expect(JSON.stringify(diffObjects(undefined, env(canary)))).not.toContain(canary);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../../src/engine/json.ts';
import type { KubernetesObject } from '../../../src/services/kubernetes.ts';
import {
  inversePatch,
  pick,
  touchedByOperations,
  touchedFields,
} from '../../../src/steps/kubectl/touched.ts';
import { witness } from '../../../src/steps/kubectl/witness.ts';
import { patched } from '../../fakes/object-patch.ts';

const key = fc.constantFrom('a', 'b', 'c', 'x.y/z');
const scalar = fc.oneof(fc.integer(), fc.string({ maxLength: 3 }), fc.boolean());
const { tree } = fc.letrec<{ tree: Json; object: Json }>((tie) => ({
  tree: fc.oneof({ maxDepth: 4 }, scalar, fc.array(scalar, { maxLength: 2 }), tie('object')),
  object: fc.dictionary(key, tie('tree'), { maxKeys: 3 }),
}));
const object = fc.dictionary(key, tree, { maxKeys: 3 }) as fc.Arbitrary<JsonObject>;
const change = fc.dictionary(key, fc.oneof(tree, fc.constant(null)), {
  minKeys: 1,
  maxKeys: 3,
}) as fc.Arbitrary<JsonObject>;

test('the inverse of any merge patch puts an object back as it was', () => {
  fc.assert(
    fc.property(object, change, (before, body) => {
      const as = (json: JsonObject) => json as unknown as KubernetesObject;
      const touched = touchedFields(body);
      const after = patched(as(before), { type: 'merge', body });
      const inverse = inversePatch(touched, pick(before, touched), after);
      const undone = patched(after, { type: 'merge', body: inverse });
      // An object that a patch had to create on the way to a field stays, empty: Kubernetes drops it.
      expect(withoutEmpty(undone as unknown as Json)).toEqual(withoutEmpty(before));
    }),
    { numRuns: 500 },
  );
});

function withoutEmpty(value: Json): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const kept = Object.entries(value)
    .map(([name, item]) => [name, withoutEmpty(item)] as const)
    .filter(
      ([, item]) =>
        typeof item !== 'object' || item === null || Array.isArray(item) || Object.keys(item).length > 0,
    );
  return Object.fromEntries(kept);
}

describe('touchedFields', () => {
  test('goes down to scalars and lists, and takes a replaced object as a whole', () => {
    expect(
      touchedFields({
        spec: { replicas: 1, list: [{ a: 1 }], none: {}, whole: { $patch: 'replace', a: 1 } },
      }),
    ).toEqual([
      ['spec', 'replicas'],
      ['spec', 'list'],
      ['spec', 'none'],
      ['spec', 'whole'],
    ]);
  });

  test('of a JSON patch stops at lists and knows escapes and moves', () => {
    const operations = [
      { op: 'test', path: '/kind' },
      { op: 'replace', path: '/spec/containers/0/image' },
      { op: 'add', path: '/metadata/annotations/runbook.io~1op' },
      { op: 'move', path: '/spec/b', from: '/spec/a' },
    ];
    expect(touchedByOperations(operations)).toEqual([
      ['spec', 'containers'],
      ['metadata', 'annotations', 'runbook.io/op'],
      ['spec', 'b'],
      ['spec', 'a'],
    ]);
  });
});

describe('witness', () => {
  const object = (parts: object, replicas = 3) =>
    ({
      kind: 'Deployment',
      metadata: { name: 'api', namespace: 'nvcf', uid: 'u', resourceVersion: '1', generation: 2, ...parts },
      spec: { replicas, other: 1 },
    }) as never;
  const seen = (parts: object, replicas?: number) =>
    witness(object(parts, replicas), [['spec', 'replicas']]).digest;

  test('moves with UID, generation and touched fields, and with nothing else', () => {
    const first = seen({});
    expect(seen({ resourceVersion: '99', labels: { a: 'b' } })).toBe(first);
    expect(new Set([first, seen({ uid: 'v' }), seen({ generation: 3 }), seen({}, 4)]).size).toBe(4);
    expect(witness(object({}), []).description).toBe('Deployment nvcf/api generation 2');
  });
});

import { describe, expect, test } from 'vitest';
import { jsonPatch, mergePatch, strategicMerge } from '../../src/sandbox/patch.ts';
import { portion, quantity } from '../../src/sandbox/quantity.ts';
import { fieldFilter, labelFilter, selects } from '../../src/sandbox/selector.ts';

describe('strategic merge', () => {
  const pod = {
    containers: [
      {
        name: 'a',
        image: 'a:1',
        env: [
          { name: 'X', value: '1' },
          { name: 'Y', value: '2' },
        ],
      },
      { name: 'b', image: 'b:1' },
    ],
    tolerations: [{ key: 'one' }],
  };

  test.each([
    [
      'merges list items by their key',
      { containers: [{ name: 'b', image: 'b:2' }] },
      { ...pod, containers: [pod.containers[0], { name: 'b', image: 'b:2' }] },
    ],
    [
      'merges nested lists',
      { containers: [{ name: 'a', env: [{ name: 'Y', value: '3' }] }] },
      {
        ...pod,
        containers: [
          {
            name: 'a',
            image: 'a:1',
            env: [
              { name: 'X', value: '1' },
              { name: 'Y', value: '3' },
            ],
          },
          pod.containers[1],
        ],
      },
    ],
    [
      'adds what is new',
      { containers: [{ name: 'c', image: 'c:1' }] },
      { ...pod, containers: [...pod.containers, { name: 'c', image: 'c:1' }] },
    ],
    [
      'deletes by directive',
      { containers: [{ name: 'a', $patch: 'delete' }] },
      { ...pod, containers: [pod.containers[1]] },
    ],
    [
      'replaces by directive',
      { containers: [{ $patch: 'replace' }, { name: 'z' }] },
      { ...pod, containers: [{ name: 'z' }] },
    ],
    [
      'replaces lists without a key',
      { tolerations: [{ key: 'two' }] },
      { ...pod, tolerations: [{ key: 'two' }] },
    ],
    ['removes with null', { tolerations: null }, { containers: pod.containers }],
    [
      'ignores the order directive',
      { '$setElementOrder/containers': [{ name: 'b' }], containers: [{ name: 'b', image: 'b:2' }] },
      { ...pod, containers: [pod.containers[0], { name: 'b', image: 'b:2' }] },
    ],
    ['keeps only the retained keys', { $retainKeys: ['tolerations'], tolerations: [] }, { tolerations: [] }],
  ])('%s', (_, patch, result) => {
    expect(strategicMerge(pod, patch)).toEqual(result);
  });

  test('changes nothing in place', () => {
    const before = structuredClone(pod);
    strategicMerge(pod, { containers: [{ name: 'a', image: 'other' }] });
    expect(pod).toEqual(before);
  });
});

test('a merge patch replaces lists and removes with null', () => {
  expect(mergePatch({ a: { b: 1, c: 2 }, list: [1, 2] }, { a: { b: null, d: 3 }, list: [3] })).toEqual({
    a: { c: 2, d: 3 },
    list: [3],
  });
  expect(mergePatch({ a: 1 }, [1])).toEqual([1]);
});

describe('a JSON patch', () => {
  const document = { a: { 'x/y': 1 }, list: ['p', 'q'] };

  test.each([
    ['add to a list', [{ op: 'add', path: '/list/1', value: 'n' }], { ...document, list: ['p', 'n', 'q'] }],
    ['append', [{ op: 'add', path: '/list/-', value: 'n' }], { ...document, list: ['p', 'q', 'n'] }],
    ['escaped path', [{ op: 'replace', path: '/a/x~1y', value: 2 }], { ...document, a: { 'x/y': 2 } }],
    ['remove', [{ op: 'remove', path: '/list/0' }], { ...document, list: ['q'] }],
    ['move', [{ op: 'move', from: '/list', path: '/a/moved' }], { a: { 'x/y': 1, moved: ['p', 'q'] } }],
    ['copy', [{ op: 'copy', from: '/list/0', path: '/first' }], { ...document, first: 'p' }],
    ['test', [{ op: 'test', path: '/list/0', value: 'p' }], document],
  ])('%s', (_, patch, result) => {
    expect(jsonPatch(document, patch)).toEqual(result);
  });

  test.each([
    [[{ op: 'replace', path: '/missing', value: 1 }], 422],
    [[{ op: 'remove', path: '/list/7' }], 422],
    [[{ op: 'add', path: '/no/where', value: 1 }], 422],
    [[{ op: 'test', path: '/list/0', value: 'z' }], 422],
    [[{ op: 'explode', path: '/list' }], 400],
    [[{ op: 'add', path: 'list', value: 1 }], 400],
    [{ op: 'add' }, 400],
  ])('%j is refused with %i', (patch, status) => {
    expect(() => jsonPatch(document, patch)).toThrow(expect.objectContaining({ status }));
  });
});

describe('selectors', () => {
  const thing = (labels: Record<string, string>, more: object = {}) =>
    ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'n', namespace: 's', uid: 'u', resourceVersion: '1', creationTimestamp: '', labels },
      ...more,
    }) as const;

  test.each([
    ['a=1', true],
    ['a==1,b!=2', true],
    ['a!=1', false],
    ['missing!=1', true],
    ['a in (1, 2),!c', true],
    ['a notin (1)', false],
    ['b', true],
    ['c', false],
    ['app.kubernetes.io/name=x-y_z.1', true],
  ])('%s', (text, matches) => {
    expect(labelFilter(text)(thing({ a: '1', b: '3', 'app.kubernetes.io/name': 'x-y_z.1' }))).toBe(matches);
  });

  test('what cannot be read is refused', () => {
    expect(() => labelFilter('a=1;b')).toThrow(/unable to parse requirement/);
    expect(() => fieldFilter('spec.color=red', 'Pod')).toThrow(/field label not supported: spec.color/);
  });

  test('fields', () => {
    const pod = thing({}, { status: { phase: 'Running' } });
    expect(fieldFilter('status.phase=Running,metadata.name=n', 'Pod')(pod)).toBe(true);
    expect(fieldFilter('status.phase!=Running', 'Pod')(pod)).toBe(false);
  });

  test('expressions', () => {
    const matchExpressions = [
      { key: 'a', operator: 'In', values: ['1'] },
      { key: 'z', operator: 'DoesNotExist' },
    ];
    expect(selects({ matchExpressions }, { a: '1' })).toBe(true);
    expect(selects({ matchExpressions }, { a: '1', z: '' })).toBe(false);
  });
});

test.each([
  ['250m', 0.25],
  ['2', 2],
  ['1Gi', 1024 ** 3],
  ['1500k', 1.5e6],
  ['nonsense', 0],
])('%s is %d', (text, value) => {
  expect(quantity(text)).toBe(value);
});

test('portions round as told', () => {
  expect([
    portion('25%', 3, 'up'),
    portion('25%', 3, 'down'),
    portion(2, 3, 'up'),
    portion(undefined, 3, 'up'),
  ]).toEqual([1, 0, 2, 0]);
});

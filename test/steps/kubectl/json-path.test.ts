import { expect, test } from 'vitest';
import { parseJsonPath, valuesAt } from '../../../src/steps/kubectl/json-path.ts';

const object = {
  status: { phase: 'Running', ready: true, conditions: [{ type: 'A', status: 'True' }, { type: 'B' }] },
  metadata: { labels: { 'openbao-active': 'true', 'app.kubernetes.io/name': 'x' } },
};

test.each([
  ['{.status.phase}', ['Running']],
  ['.status.phase', ['Running']],
  ['$.status.ready', ['true']],
  ['{.status.conditions[1].type}', ['B']],
  ['{.status.conditions[*].type}', ['A', 'B']],
  ["{.metadata.labels['openbao-active']}", ['true']],
  ['{.metadata.labels["app.kubernetes.io/name"]}', ['x']],
  ['{.metadata.labels.app\\.kubernetes\\.io/name}', ['x']],
  ['{.status.missing.deeper}', []],
  ['{.status.conditions[9].type}', []],
  ['{.constructor.name}', []],
  ['{.status.conditions[0]}', ['{"type":"A","status":"True"}']],
])('%s', (path, values) => {
  expect(valuesAt(object, parseJsonPath(path) ?? [])).toEqual(values);
});

test.each([
  '',
  '{}',
  'status.phase',
  '{.a',
  '{.a}.b',
  '{.items[?(@.a==1)]}',
  '{..a}',
  '{.a[-1]}',
  '{range .items}',
])('%j is not taken for a path', (path) => {
  expect(parseJsonPath(path)).toBeUndefined();
});

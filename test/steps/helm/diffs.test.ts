import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/engine/json.ts';
import { Secret } from '../../../src/engine/secret.ts';
import type { HelmContent } from '../../../src/services/helm.ts';
import {
  contentDigest,
  diffContent,
  isSameContent,
  planLines,
  sayLine,
} from '../../../src/steps/helm/object-diff.ts';
import { diffValues, protectValues } from '../../../src/steps/helm/values-diff.ts';

const deployment = (image: string, env: readonly JsonObject[] = []): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'n' },
  spec: { replicas: 1, template: { spec: { containers: [{ name: 'main', image, env }] } } },
});
const secret = (password: string): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'login', namespace: 'n' },
  data: { password, user: 'dQ==' },
});
const config = (text: string): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'web', namespace: 'n' },
  data: { 'app.yaml': text, apiToken: text },
});
const content = (objects: readonly JsonObject[], values: JsonObject = {}): HelmContent => ({
  chart: 'web',
  chartVersion: '1.0.0',
  appVersion: '1',
  objects,
  hooks: [],
  values: Secret.fromText('values', JSON.stringify(values)),
});

describe('objects', () => {
  test('are compared field by field, and named', () => {
    const changes = diffContent(content([deployment('a:1')]), content([deployment('a:2'), config('x')]));
    expect(changes.map(({ object, change }) => [object, change])).toEqual([
      ['Deployment n/web', 'changed'],
      ['ConfigMap n/web', 'added'],
    ]);
    expect(changes[0]?.lines.map(sayLine)).toEqual(['spec.template.spec.containers[main].image: a:1 → a:2']);
    expect(planLines(changes).map(({ path }) => path)).toEqual([
      'Deployment n/web spec.template.spec.containers[main].image',
      'ConfigMap n/web',
    ]);
    expect(diffContent(content([config('x')]), content([]))).toMatchObject([{ change: 'removed' }]);
    expect(diffContent(content([deployment('a:1')]), content([deployment('a:1')]))).toEqual([]);
  });

  test('show that a Secret changes, and never how', () => {
    const changes = diffContent(content([secret('Y2FuYXJ5MQ==')]), content([secret('Y2FuYXJ5Mg==')]));
    expect(changes[0]?.lines).toEqual([{ path: 'data.password', before: '«masked»', after: '«masked»' }]);
  });

  test('show no variable, key, argument or file that may hold a secret', () => {
    const before = content([
      deployment('a:1', [{ name: 'DB_PASSWORD', value: 'canary1' }]),
      config('canary1'),
    ]);
    const file = `password: canary2\n${'line\n'.repeat(20)}`;
    const after = content([
      deployment('a:1', [
        { name: 'DB_PASSWORD', value: 'canary2' },
        { name: 'ARGS', value: '--token=canary2' },
        { name: 'DATABASE', value: 'cql://user:canary2@host' },
      ]),
      config(file),
    ]);
    const changes = diffContent(before, after);
    expect(changes).toHaveLength(2);
    expect(JSON.stringify(changes)).not.toContain('canary2');
  });

  test('have a digest that no value of a Secret reaches, and are the same only with it', () => {
    const [one, other] = [content([secret('YQ==')]), content([secret('Yg==')])];
    expect(contentDigest(one)).toBe(contentDigest(other));
    expect(isSameContent(one, other)).toBe(false);
    expect(isSameContent(one, content([secret('YQ==')]))).toBe(true);
    expect(isSameContent(one, content([secret('YQ==')], { a: 1 }))).toBe(false);
    expect(contentDigest(one)).not.toBe(contentDigest(content([])));
  });
});

describe('values', () => {
  test('are shown where they cannot be secrets, and hidden otherwise', () => {
    const before = {
      replicaCount: 1,
      image: { tag: '1.0' },
      db: { password: 'canary1' },
      note: 'canary1',
      list: [1],
    };
    const after = {
      replicaCount: 2,
      image: { tag: '1.1' },
      db: { password: 'canary2' },
      note: 'canary2',
      list: [1, 2],
    };
    expect(diffValues(before, after)).toEqual([
      { path: 'replicaCount', before: 1, after: 2 },
      { path: 'image.tag', before: '1.0', after: '1.1' },
      { path: 'db.password', before: '«masked»', after: '«masked»' },
      { path: 'note', before: '«masked»', after: '«masked»' },
      { path: 'list', before: '«list of 1»', after: '«list of 2»' },
    ]);
  });

  test('that come and go are named one by one', () => {
    expect(diffValues({}, { a: { enabled: true, token: 5 } })).toEqual([
      { path: 'a.enabled', after: true },
      { path: 'a.token', after: '«masked»' },
    ]);
    expect(diffValues({ a: { enabled: true } }, {})).toEqual([{ path: 'a.enabled', before: true }]);
    expect(diffValues({ a: 1 }, { a: 1 })).toEqual([]);
  });

  test('under names that tell a secret can be printed by nobody any more', () => {
    const hidden: string[] = [];
    const protect = (secret: Secret) => void secret.revealText((text) => hidden.push(text));
    const values = {
      db: { password: 'canary-1', user: 'cassandra' },
      tokens: ['canary-2', 'x'],
      replicaCount: 1,
    };
    protectValues({ protect } as never, values);
    expect(hidden).toEqual(['canary-1', 'canary-2']);
  });
});

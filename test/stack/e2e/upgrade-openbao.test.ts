import path from 'node:path';
import type { V1StatefulSet } from '@kubernetes/client-node';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Connection, connect, listObjects } from '../api.ts';
import { chartRegistry } from '../charts/registry.ts';
import { ensureUp, everySecretReadable, issueApiKey, reset, rootToken, type Stack } from '../control.ts';
import { helmFolder } from '../paths.ts';
import { podsOf } from '../workloads.ts';
import { expectExit, outputsOf, world } from './key-checks.ts';
import { createKeyOperator, type KeyOperator } from './key-operator.ts';
import { allowBlindWrites, everythingOpens } from './key-world.ts';

let stack: Stack;
let admin: Connection;
let token: string;
const said: Buffer[] = [];

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
});

// Each begins with the installed release and a document that anybody may write.
beforeEach(async () => {
  await reset();
  token = await rootToken();
  await allowBlindWrites();
});

afterAll(reset);

const environment = { PATH: `${helmFolder()}${path.delimiter}${process.env.PATH ?? ''}` };

function administrator(): Promise<KeyOperator> {
  return createKeyOperator({ kubeconfig: stack.kubeconfig, token }, { said });
}

const target = ['--input', `registry=${chartRegistry}`, '--input', 'version=0.30.26'];

function upgrade(operator: KeyOperator, ...more: string[]) {
  return ['exec', 'upgrade-openbao', '--yes', ...operator.backup, ...target, ...more];
}

/** Pods of OpenBao by name: UID and image; and the image of the template. */
async function servers() {
  const pods = await podsOf(admin, 'vault-system', 'component=server');
  const sets = await listObjects<V1StatefulSet>(admin, 'apps/v1', 'StatefulSet', 'vault-system');
  const template = sets.find(({ metadata }) => metadata?.name === 'openbao-server')?.spec?.template.spec;
  const image = (containers: readonly { name: string; image?: string }[] = []) =>
    containers.find(({ name }) => name === 'openbao')?.image ?? '';
  return {
    wanted: image(template?.containers),
    uids: Object.fromEntries(pods.map(({ metadata }) => [metadata?.name ?? '', metadata?.uid ?? ''])),
    images: pods.map(({ spec }) => image(spec?.containers)),
  };
}

test('an upgrade of OpenBao replaces every pod and leaves the master keys alone', async () => {
  const before = await world();
  const earlier = await servers();
  await issueApiKey('before-the-upgrade');
  const operator = await administrator();
  const done = await operator.run(upgrade(operator, '--input', 'reuse=true'), environment);
  expectExit(done, 0);
  expect((await outputsOf(operator)).before).toBe('0.30.25');
  expect(await world()).toEqual(before);
  const later = await servers();
  expect(later.wanted).not.toBe(earlier.wanted);
  expect(new Set(later.images)).toEqual(new Set([later.wanted]));
  for (const [name, uid] of Object.entries(earlier.uids)) expect(later.uids[name]).not.toBe(uid);
  expect((await everythingOpens(admin)).wrong).toEqual([]);
});

test('a migrations Job whose read fails is refused; the run says why, goes back, and no key is lost', async () => {
  const before = await world();
  const earlier = await servers();
  const operator = await administrator();
  const values = operator.write('values.yaml', 'replicaCount: 3\nmigrations:\n  readFails: true\n');
  const failed = await operator.run(upgrade(operator, '--input', `values=${values}`), environment);
  expectExit(failed, 1);
  expect(failed.stderr).toContain('openbao-server-migrations failed because a secret is protected');
  expect(failed.stderr).toMatch(/no secret at services\/all\/kv\/data\/encryption\/keys\/stored_data/);
  expect(await world()).toEqual(before);
  const back = await operator.run(['rollback', 'last', '--yes'], environment);
  expectExit(back, 5);
  expect(await world()).toEqual(before);
  expect(await servers()).toEqual(earlier);
  expect((await everySecretReadable()).wrong).toEqual([]);
});

test('killed while Helm works and again between two pods, it is resumed to its end', async () => {
  const before = await world();
  const earlier = await servers();
  const operator = await administrator();
  for (const [at, args] of [
    ['upgrade', upgrade(operator, '--input', 'reuse=true', '--output', 'json')],
    ['replace/each[', ['resume', 'last', '--yes', '--output', 'json']],
  ] as const) {
    const running = operator.start(args, environment);
    await running.event((event) => event.type === 'intended' && event.id.startsWith(at));
    running.signal('SIGKILL');
    expect((await running.finished).signal).toBe('SIGKILL');
    expect((await world()).held).toEqual(before.held);
  }
  const resumed = await operator.run(['resume', 'last', '--yes'], environment);
  expectExit(resumed, 0);
  expect(await world()).toEqual(before);
  const later = await servers();
  expect(new Set(later.images)).toEqual(new Set([later.wanted]));
  expect(later.wanted).not.toBe(earlier.wanted);
  expect((await everySecretReadable()).wrong).toEqual([]);
});

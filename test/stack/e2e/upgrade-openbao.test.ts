import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Connection, connect } from '../api.ts';
import { ensureHelm } from '../build.ts';
import { versionsOf } from '../charts/files.ts';
import { chartRegistry } from '../charts/registry.ts';
import { ensureUp, openBaoStatus, reset, rootToken, type Stack } from '../control.ts';
import { expectDeployed } from './battery/cases/helm.ts';
import { shapeOfWorld } from './battery/shape.ts';
import { expectExit } from './key-checks.ts';
import { createKeyOperator } from './key-operator.ts';
import { allowBlindWrites, everythingOpens, heldKeys } from './key-world.ts';

const { pinned, patch } = versionsOf('0.30.25');
let stack: Stack;
let admin: Connection;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
});
beforeEach(reset);
afterAll(reset);

test('a migrations Job that takes a failed read for an absent key is refused: the master keys are intact, before and after the rollback', async () => {
  await allowBlindWrites();
  const [before, shape] = [await heldKeys(), await shapeOfWorld(admin)];
  const operator = await createKeyOperator(
    { kubeconfig: stack.kubeconfig, token: await rootToken() },
    { said: [] },
  );
  const PATH = `${await ensureHelm()}${path.delimiter}${process.env.PATH}`;
  operator.write('values.yaml', 'replicaCount: 3\nmigrations: {readFails: true}\n');
  const inputs = [`registry=${chartRegistry}`, `version=${patch}`, 'values=values.yaml', 'timeout=2m'];
  const failed = await operator.run(
    [
      'exec',
      'upgrade-openbao',
      '--yes',
      ...inputs.flatMap((input) => ['--input', input]),
      ...operator.backup,
    ],
    { PATH },
  );
  expectExit(failed, 1);
  expect(failed.stdout + failed.stderr).toContain('stored_data was not written: HTTP 400');
  expect(await heldKeys()).toEqual(before);

  expectExit(await operator.run(['rollback', 'last', '--yes'], { PATH }), 5);
  expect(await heldKeys()).toEqual(before);
  expect(await shapeOfWorld(admin)).toEqual(shape);
  await expectDeployed('openbao-server', 'vault-system', pinned);
  expect((await openBaoStatus()).map(({ sealed }) => sealed)).toEqual([false, false, false]);
  expect((await everythingOpens(admin)).wrong).toEqual([]);
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Connection, connect, putObject } from '../api.ts';
import { ensureUp, reset, type Stack } from '../control.ts';
import { testLabel } from '../reset.ts';
import { isWrite, recordAudit } from './audit.ts';
import { createOperator } from './rig.ts';
import { deployment } from './workload.ts';

const canary = 'canary-rehearse-4Vd8Kw2q';

let stack: Stack;
let admin: Connection;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
});

afterAll(reset);

test('a rehearsal that begins as the cluster is reads it, writes nothing to it, and says what is live', async () => {
  await putObject(admin, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'rehearsed', namespace: 'nvcf', labels: { [testLabel]: 'rehearse' } },
    data: { 'app.properties': `db.password=${canary}` },
  });
  const before = await deployment(admin, { namespace: 'nvcf', name: 'nvcf-api' });
  const audit = recordAudit(admin);
  const operator = createOperator(stack.kubeconfig);
  const rehearsed = ['rehearse', 'restart-service', '--input', 'service=nvcf-api', '--from-cluster'];
  const { code, stdout, stderr } = await operator.run(rehearsed);
  const entries = (await audit.entries()).filter(({ userAgent = '' }) => !userAgent.startsWith('vitest'));

  expect(code, `${stdout}\n${stderr}`).toBe(0);
  expect(stdout).toMatch(/^Shaped like the cluster of context .*, which was read and not changed$/m);
  // Long lines are broken between words.
  const said = stdout.replace(/\s+/g, ' ');
  expect(said).toMatch(/Live: as they were read 9 Namespace, 1 Node, .* 3 StatefulSet, \d+ Deployment,/);
  expect(said).toContain('Secrets: none was read');
  expect(said).toMatch(/Made up \d+ values that look secret/);
  expect(stdout).toMatch(/^restart\/rolling +ok/m);
  expect(`${stdout}${stderr}`).not.toContain(canary);

  expect(entries.length).toBeGreaterThan(50);
  expect(entries.filter(isWrite)).toEqual([]);
  expect(entries.filter(({ objectRef }) => objectRef?.resource === 'secrets')).toEqual([]);
  const after = await deployment(admin, { namespace: 'nvcf', name: 'nvcf-api' });
  expect(after.metadata?.generation).toBe(before.metadata?.generation);
});

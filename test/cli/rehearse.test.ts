import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { kinds } from '../../src/services/kubernetes.ts';
import { startSandboxApiServer } from '../fakes/sandbox-apiserver.ts';
import { canaries, changeCluster } from '../rehearsal/live-world.ts';
import { createRig } from './rig.ts';
import { runbookOf } from './runbooks.ts';

const asked = ['rehearse', 'scale-service', '--input', 'service=nvcf-api', '--input', 'replicas=3'];

test('a table on stdout, a line for each rehearsal on stderr, exit 0, and nothing is left', async () => {
  const rig = createRig();
  const { code, stdout, stderr } = await rig.run(asked, { env: { TMPDIR: rig.folder } });
  expect(stdout).toMatch(/^scale +ok +ok +ok +ok +ok$/m);
  expect(stderr).toMatch(/^6 of 6 {2}scale, answer lost: ok$/m);
  expect(code).toBe(0);
  expect(readdirSync(rig.folder)).toEqual([]);
});

test('exit 1 when something is not brought back, with what to do next; JSON has all of it', async () => {
  const rig = createRig();
  rig.write(
    'own.yaml',
    runbookOf(
      '  - id: more\n    uses: kubectl.scale\n    with: {kind: Deployment, name: nvcf-api, namespace: nvcf, replicas: 2}\n    timeout: 10m\n    rollback:\n      - {id: nothing, uses: note, with: {text: a}}\n',
    ),
  );
  const human = await rig.run(['rehearse', 'own.yaml']);
  expect(human.stdout).toMatch(/^more +ok +ok +ok +NOT RESTORED +NOT RESTORED$/m);
  expect(human.stdout).toContain('rollback: {irreversible: why}');
  expect(human.code).toBe(1);
  const json = await rig.run(['rehearse', 'own.yaml', '--output', 'json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ sound: false, runbook: 'own', notReached: [] });
  expect(json.code).toBe(1);
});

test('exit 4 when the run does not come to its end even undisturbed', async () => {
  const { code, stderr } = await createRig().run(['rehearse', 'bring-online', '--input', 'service=nvcf-api']);
  expect(stderr).toContain('there is nothing to rehearse');
  expect(stderr).toContain('--world');
  expect(code).toBe(4);
});

test('begins in the world of an earlier run when told', async () => {
  const rig = createRig();
  await rig.run(['exec', 'take-offline', '--sandbox', '--yes', '--input', 'service=nvcf-api']);
  const { code, stdout } = await rig.run([
    'rehearse',
    'bring-online',
    '--input',
    'service=nvcf-api',
    '--world',
    'last',
  ]);
  expect(stdout).toMatch(/^start +ok +ok +ok +ok +ok$/m);
  expect(code).toBe(0);
});

test('begins as the cluster of a kubeconfig is, which is only read, and says what is live', async () => {
  await using cluster = await startSandboxApiServer();
  await changeCluster(cluster);
  const rig = createRig();
  const env = { KUBECONFIG: cluster.kubeconfig, TMPDIR: rig.folder };
  const args = ['rehearse', 'restart-service', '--input', 'service=nvcf-api', '--from-cluster'];
  const { code, stdout, stderr } = await rig.run(args, { env });
  expect(code, `${stdout}${stderr}`).toBe(0);
  expect(stdout).toMatch(/^Shaped like the cluster of context test .*which was read and not changed$/m);
  expect(stdout).toMatch(/^restart\/rolling +ok/m);
  for (const text of Object.values(canaries)) expect(`${stdout}${stderr}`).not.toContain(text);
  expect(cluster.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(readdirSync(rig.folder)).toEqual([]);
});

test('a run that comes to no end there is told with what the sandbox could not bring up', async () => {
  await using cluster = await startSandboxApiServer();
  const container = { name: 'helm-nvcf-api', image: 'nvcf/api:does-not-exist' };
  const body = { spec: { template: { spec: { containers: [container] } } } };
  const api = { kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' };
  await cluster.inside.patch(api, { type: 'strategic', body });
  const args = ['rehearse', 'restart-service', '--input', 'service=nvcf-api', '--from-cluster'];
  const { code, stdout, stderr } = await createRig().run(args, { env: { KUBECONFIG: cluster.kubeconfig } });
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^Not ready in the sandbox.*\n {2}Pod nvcf\/nvcf-api-/m);
  expect(stderr).toContain("'runbook plan restart-service' asks the cluster itself");
  expect(code).toBe(4);
});

test('--from-cluster goes with no other world, and says so', async () => {
  const { code, stderr } = await createRig().run([...asked, '--from-cluster', '--world', 'last']);
  expect(stderr).toMatch(/^error: give either --from-cluster or --world\nhint: /m);
  expect(code).toBe(2);
});

test('Ctrl-C ends it after the rehearsal that goes on, and leaves nothing behind', async () => {
  const rig = createRig();
  const running = rig.start(asked, { env: { TMPDIR: rig.folder } });
  await running.shows('1 of 6');
  running.signal('SIGINT');
  const { code, stdout } = await running.finished;
  expect(stdout).toContain('Interrupted');
  expect(code).toBe(130);
  expect(readdirSync(rig.folder)).toEqual([]);
});

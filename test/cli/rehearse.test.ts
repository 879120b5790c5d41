import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
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

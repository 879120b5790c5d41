import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createRig, type Finished, type Rig } from './rig.ts';
import { oneChange, runbookOf } from './runbooks.ts';
import { recordsOf, runFolderOf } from './state.ts';

/** No stack trace, whatever happened. */
function explained({ stdout, stderr }: Finished): string {
  expect(`${stdout}${stderr}`).not.toMatch(/^ +at .*(file:|node:)/m);
  expect(stderr).not.toContain('internal error');
  return stderr;
}

function own(steps: string, rest = ''): Rig {
  const rig = createRig();
  rig.write('own.yaml', runbookOf(steps, rest));
  return rig;
}

const scale = `  - id: scale
    uses: kubectl.scale
    with: {kind: Deployment, name: nvcf-api, namespace: nvcf, replicas: 2}
    timeout: 10m
`;
const bad = `  - id: bad
    uses: note
    with: {text: never}
    expect: outputs.text == "ever"
`;

describe('exit codes', () => {
  test('1: a step failed after a change; it says which, why and how to go on', async () => {
    const rig = own(`${scale}${bad}`);
    const done = await rig.run(['exec', 'own', '--sandbox', '--yes']);
    const stderr = explained(done);
    expect(stderr).toMatch(/FAILED +bad .*outputs\.text/);
    expect(stderr).toContain('runbook resume');
    expect(stderr).toContain('runbook rollback');
    expect(done.code).toBe(1);
  });

  test('2: there is no such runbook, and a near one is named', async () => {
    const done = await createRig().run(['exec', 'restart-servise', '--sandbox']);
    expect(explained(done)).toContain("hint: did you mean 'restart-service'?");
    expect(done.code).toBe(2);
  });

  test('3: the runbook is not valid', async () => {
    const rig = own('  - id: x\n    uses: kubectl.scal\n    with: {}\n');
    const done = await rig.run(['exec', 'own', '--sandbox']);
    expect(explained(done)).toMatch(/own\.yaml:\d+:\d+: error\[/);
    expect(done.stderr).toContain('kubectl.scale');
    expect(done.code).toBe(3);
    expect(existsSync(path.join(rig.folder, 'state'))).toBe(false);
  });

  test.each([
    ['service=nvcf-apy', 'nvcf-api'],
    ['servise=nvcf-api', 'service'],
  ])('3: an input is not right: %s', async (input, hint) => {
    const done = await createRig().run(['exec', 'restart-service', '--sandbox', '--input', input]);
    expect(explained(done)).toContain(`'${hint}'`.replaceAll("'", ''));
    expect(done.stderr).toContain('nothing was started');
    expect(done.code).toBe(3);
  });

  test('4: a precondition does not hold, in exec and in plan', async () => {
    const rig = own(scale, `preconditions:\n${bad}`);
    const done = await rig.run(['exec', 'own', '--sandbox', '--yes']);
    expect(explained(done)).toMatch(/bad/);
    expect(done.stderr).toMatch(/nothing was changed/i);
    expect(done.code).toBe(4);
    const planned = await rig.run(['plan', 'own', '--sandbox']);
    explained(planned);
    expect(planned.code).toBe(4);
  });

  test.each([
    ['no kubeconfig', undefined, []],
    ['a kubeconfig that is none', 'a: [', []],
    [
      'a server that is not there',
      `apiVersion: v1
kind: Config
current-context: here
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {}}]
contexts: [{name: here, context: {cluster: c, user: u}}]
`,
      [],
    ],
    [
      'an unknown context',
      `apiVersion: v1
kind: Config
current-context: here
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {}}]
contexts: [{name: here, context: {cluster: c, user: u}}]
`,
      ['--context', 'there'],
    ],
  ])('4: %s', async (_what, kubeconfig, more) => {
    const rig = own(scale);
    if (kubeconfig !== undefined) rig.write('.kube/config', kubeconfig);
    for (const verb of ['plan', 'exec']) {
      const done = await rig.run([verb, 'own', ...more]);
      expect(`${explained(done)}${done.stdout}`).toMatch(/kubeconfig|context|127\.0\.0\.1:9/);
      expect(done.code).toBe(4);
    }
  });

  test('5: failed, and rolled back by the runbook itself', async () => {
    const rig = own(`${scale}${bad}    onFailure: rollback\n`);
    const done = await rig.run(['exec', 'own', '--sandbox', '--yes']);
    expect(explained(done)).toMatch(/undone +scale/);
    expect(done.code).toBe(5);
  });

  test('6: what cannot be undone is named', async () => {
    const rig = own(`${scale.trimEnd()}
    rollback:
      - id: back
        uses: note
        with: {text: not really}
        expect: outputs.text == "really"
${bad}    onFailure: rollback
`);
    const done = await rig.run(['exec', 'own', '--sandbox', '--yes']);
    expect(explained(done)).toMatch(/back/);
    expect(done.code).toBe(6);
  });

  test('7: a local change of which nobody can tell whether it happened', async () => {
    const rig = own(`  - id: fire
    uses: exec
    with: {command: [sh, -c, "touch begun; kill -9 $$"], effect: change, observe: {command: [sh, -c, "test -e begun && exit 9; exit 1"]}}
    timeout: 10s
`);
    const done = await rig.run(['exec', 'own', '--yes']);
    const stderr = explained(done);
    expect(stderr).toContain('fire');
    expect(done.code).toBe(7);
    expect(stderr).toContain('--mark-done');
  });

  test('9: the runbook was edited since the run began', async () => {
    const rig = createRig();
    rig.write('one-change.yaml', oneChange);
    await rig.run(['exec', 'one-change', '--sandbox', '--yes', '--fault', 'scale=crash-before']);
    rig.write('one-change.yaml', oneChange.replace('replicas: 2', 'replicas: 9'));
    const refused = await rig.run(['resume', 'last', '--yes']);
    expect(explained(refused)).toContain('the runbook changed since this run began: one-change.yaml');
    expect(refused.stderr).toContain('--as-planned');
    expect(refused.code).toBe(9);
    const done = await rig.run(['resume', 'last', '--yes', '--as-planned']);
    expect(done).toMatchObject({ code: 0, stdout: 'ready: 2\n' });
  });

  test('9: a saved plan of a runbook that changed; and a fresh one runs', async () => {
    const rig = createRig();
    rig.write('one-change.yaml', oneChange);
    expect((await rig.run(['plan', 'one-change', '--sandbox', '--out', 'plan.json'])).code).toBe(0);
    rig.write('one-change.yaml', oneChange.replace('replicas: 2', 'replicas: 9'));
    const stale = await rig.run(['exec', 'plan.json', '--yes']);
    expect(explained(stale)).toContain('the plan is stale');
    expect(stale.code).toBe(9);
    rig.write('one-change.yaml', oneChange);
    expect(await rig.run(['exec', 'plan.json', '--yes'])).toMatchObject({ code: 0, stdout: 'ready: 2\n' });
  });

  test('74: a state folder that cannot hold a run', async () => {
    const rig = createRig();
    rig.write('one-change.yaml', oneChange);
    rig.write('blocked', 'a file, no folder');
    const done = await rig.run(['exec', 'one-change', '--sandbox', '--yes', '--state-dir', 'blocked']);
    expect(explained(done)).toContain('blocked');
    expect(done.code).toBe(74);
  });

  test('74: no room for the plan: no run is begun', async () => {
    const rig = createRig();
    rig.write('one-change.yaml', oneChange);
    // Node ignores SIGXFSZ: writes beyond the limit fail with EFBIG, as on a full disk with ENOSPC.
    const done = await rig.shell('ulimit -f 2; runbook exec one-change --sandbox --yes');
    expect(explained(done)).toContain('nothing was changed');
    expect(done.stderr).toContain('--state-dir');
    expect(done.code).toBe(74);
  });

  test('74: the disk is full in the middle; resume goes on when there is room', async () => {
    const rig = createRig();
    const elements = Array.from({ length: 70 }, (_, at) => at + 1).join(', ');
    rig.write(
      'own.yaml',
      runbookOf(
        `  - id: much
    forEach: [${elements}]
    uses: exec
    with: {command: [seq, "3000"], effect: read}
`,
      ),
    );
    const done = await rig.shell('ulimit -f 1024; runbook exec own');
    expect(explained(done)).toContain('error: the journal cannot be written: EFBIG');
    expect(done.stderr).toMatch(/hint: runbook resume \d{8}-\d{6}-\w{4}$/m);
    expect(done.code).toBe(74);
    const resumed = await rig.run(['resume', 'last']);
    explained(resumed);
    expect(resumed.code).toBe(0);
    expect(recordsOf(rig, 'done').filter(({ id }) => String(id).startsWith('much['))).toHaveLength(70);
  });

  test('74: a damaged journal is not gone on with', async () => {
    const rig = createRig();
    rig.write('one-change.yaml', oneChange);
    await rig.run(['exec', 'one-change', '--sandbox', '--yes', '--fault', 'scale=crash-after']);
    const journal = path.join(runFolderOf(rig), 'journal.jsonl');
    writeFileSync(
      journal,
      readFileSync(journal, 'utf8').replace('"locked"', '"licked"').replace('one-change', 'one-chance'),
    );
    const refused = await rig.run(['resume', 'last', '--yes']);
    expect(explained(refused)).toContain('is damaged at byte 0');
    expect(refused.code).toBe(74);
  });
});

import { describe, expect, test } from 'vitest';
import { createRig } from './rig.ts';

const command = ['exec', 'restart-service.yaml', '--input', 'service=nvcf-api', '--sandbox', '--yes'];

describe('the command of the README', () => {
  test('shows the run on stderr, its outputs on stdout, and exits 0', async () => {
    const { code, stdout, stderr } = await createRig().run(command);
    expect(stderr).toMatch(/^09:01:00 {2}start +restart\/rolling {2}Restart Deployment nvcf-api: /m);
    expect(stderr).toMatch(
      /^09:01:\d\d {2}applied +restart\/rolling {2}Deployment nvcf\/nvcf-api generation 2/m,
    );
    expect(stderr).toMatch(/^09:01:\d\d {2}ok +restart\/stillHealthy /m);
    expect(stderr).toMatch(/^09:01:\d\d {2}done +1 changed, 2 read, 3 skipped/m);
    expect(stdout).toBe('pods: 1 of 1 ready, 0 restarts\n');
    expect(code).toBe(0);
  });

  test.each(['plain', 'json'])('repeats byte for byte with the same seed (%s)', async (output) => {
    const [one, two, other] = await Promise.all(
      ['7', '7', '8'].map((seed) => createRig().run([...command, '--seed', seed, '--output', output])),
    );
    expect(one).toEqual(two);
    expect(one?.code).toBe(0);
    expect(other?.code).toBe(0);
    const shown = output === 'json' ? 'stdout' : 'stderr';
    expect(other?.[shown]).not.toBe(one?.[shown]);
  });

  test('writes one JSON object per event to stdout, and nothing else there', async () => {
    const { stdout, stderr } = await createRig().run([...command, '--output', 'json']);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(new Set(events.map(({ version }) => version))).toEqual(new Set([1]));
    expect(events[0]).toMatchObject({ type: 'run-opened', runbook: 'restart-service', seq: 1 });
    expect(events.at(-1)).toMatchObject({
      type: 'run-finished',
      outcome: 'done',
      exitCode: 0,
      outputs: { pods: '1 of 1 ready, 0 restarts' },
    });
    expect(stderr).toBe('');
  });

  test('never looks at a kubeconfig', async () => {
    const rig = createRig();
    rig.write('.kube/config', 'this: is: no: kubeconfig');
    const { code, stderr } = await rig.run(command, { env: { KUBECONFIG: '/nonexistent/config' } });
    expect(stderr).not.toContain('kubeconfig');
    expect(code).toBe(0);
  });
});

import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { KubectlExecWith } from '../../../src/generated/types.ts';
import type { ExecRequest } from '../../../src/services/kubernetes.ts';
import { exec } from '../../../src/steps/kubectl/exec.ts';
import { putPod } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const reading: KubectlExecWith = {
  namespace: 'nvcf',
  pod: 'a',
  command: ['nodetool', 'status'],
  effect: 'read',
};
const changing: KubectlExecWith = {
  namespace: 'nvcf',
  selector: 'app=db',
  command: ['flush'],
  effect: 'change',
  observe: { command: ['flushed'], inProgress: [3], conflict: [4] },
  undo: { command: ['unflush'] },
};

function rig(answer: (request: ExecRequest) => number = () => 0) {
  const requests: ExecRequest[] = [];
  const made = stepRig();
  putPod(made.cluster, { name: 'a', labels: { app: 'db' }, ready: false });
  putPod(made.cluster, { name: 'b', labels: { app: 'db' } });
  made.cluster.hooks = {
    exec(request) {
      requests.push({ ...request, ...(request.stdin && { stdin: request.stdin.slice() }) });
      return { exitCode: answer(request), stdout: 'out', stderr: 'err\n' };
    },
  };
  return { ...made, requests };
}

test('a reading command is only read, bound to the UID of its pod', async () => {
  const { ctx, cluster, requests } = rig();
  expect(await exec.run(reading, ctx)).toEqual({
    exitCode: 0,
    stdout: 'out',
    stderr: 'err\n',
    pod: 'a',
    truncated: false,
  });
  expect(requests).toMatchObject([
    { pod: 'a', uid: 'uid-a', container: 'main', command: ['nodetool', 'status'] },
  ]);
  expect(cluster.writes).toEqual([]);
});

test('a selector means the first ready pod, and the choice is recorded before the command runs', async () => {
  const { ctx, requests, checkpoints } = rig();
  await exec.run(changing, ctx);
  expect(requests[0]?.pod).toBe('b');
  expect(checkpoints).toEqual([{ pod: 'b', uid: 'uid-b', container: 'main' }]);
});

test('no ready pod is an error', async () => {
  const { ctx, cluster } = rig();
  putPod(cluster, { name: 'b', labels: { app: 'db' }, ready: false });
  await expect(exec.run(changing, ctx)).rejects.toMatchObject({
    code: 'no-ready-pod',
    outcome: 'not-applied',
  });
});

test('a secret reaches standard input and nothing else', async () => {
  const { ctx, requests } = rig();
  const input = { ...reading, stdin: Secret.fromText('t', 'canary-5') } as unknown as KubectlExecWith;
  const outputs = await exec.run(input, ctx);
  expect(new TextDecoder().decode(requests[0]?.stdin)).toBe('canary-5');
  expect(JSON.stringify([outputs, requests[0]?.command, exec.describe(input)])).not.toContain('canary-5');
});

test('an unexpected exit code fails with what the command said', async () => {
  const { ctx } = rig(() => 2);
  await expect(exec.run(reading, ctx)).rejects.toMatchObject({ code: 'exit-code', details: ['err'] });
  expect(await exec.run({ ...reading, exitCodes: [0, 2] }, ctx)).toMatchObject({ exitCode: 2 });
});

test('undo runs in the same pod', async () => {
  const { ctx, requests } = rig();
  const before = await exec.capture(changing, ctx);
  if (typeof exec.undo !== 'function') throw new Error('no undo');
  await exec.undo(changing, before, undefined, ctx);
  expect(requests).toMatchObject([{ pod: 'b', uid: 'uid-b', command: ['unflush'] }]);
});

describe('observe', () => {
  test.each([
    [0, 'applied'],
    [1, 'not-applied'],
    [3, 'in-progress'],
    [4, 'conflict'],
    [9, 'unknown'],
  ] as const)('exit code %s means %s', async (code, state) => {
    const { ctx, cluster } = rig(() => code);
    const before = await exec.capture(changing, ctx);
    expect(await exec.observe(changing, before, ctx)).toMatchObject({ state });
    expect(cluster.writes).toEqual([]);
  });

  test('unknown when exec is not allowed; a blip is thrown', async () => {
    for (const [status, expected] of [
      [403, { state: 'unknown' }],
      [503, { code: 'server-error' }],
    ] as const) {
      const { ctx, cluster } = rig();
      const before = await exec.capture(changing, ctx);
      cluster.hooks = {
        before: (verb) => {
          if (verb === 'exec-read') throw failure(status, 'X', 'no');
        },
      };
      const seen = await exec.observe(changing, before, ctx).catch((error: unknown) => error);
      expect(seen).toMatchObject(expected);
    }
  });
});

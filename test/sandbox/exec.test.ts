import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openSandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { at, never, openLab, plainPod, script, until } from './rig.ts';

async function shell() {
  const lab = await openLab();
  await lab.services.kubernetes.create(
    plainPod('box', { ...script('sleep infinity'), env: [{ name: 'COLOR', value: 'red' }] }),
  );
  await until(
    lab,
    kinds.pods,
    ([found]) => (found?.status as { phase?: string } | undefined)?.phase === 'Running',
  );
  const run = (command: readonly string[], signal = never) =>
    lab.services.kubernetes.exec({ namespace: 'lab', pod: 'box', container: 'main', command }, signal);
  return { lab, run, sh: (text: string) => run(['sh', '-c', text]) };
}

describe('commands in a pod', () => {
  test.each([
    ['echo a; echo b >&2; exit 3', { exitCode: 3, stdout: 'a\n', stderr: 'b\n' }],
    ['false || echo rescued', { exitCode: 0, stdout: 'rescued\n', stderr: '' }],
    ['false && echo never', { exitCode: 1, stdout: '', stderr: '' }],
    ['echo \'a;b\' "c d" e\\ f', { exitCode: 0, stdout: 'a;b c d e f\n', stderr: '' }],
    ['false; echo $?', { exitCode: 0, stdout: '1\n', stderr: '' }],
    ['echo $COLOR $HOSTNAME', { exitCode: 0, stdout: 'red box\n', stderr: '' }],
    ['printf "%s-%s\\n" a b', { exitCode: 0, stdout: 'a-b\n', stderr: '' }],
    ['frobnicate', { exitCode: 127, stdout: '', stderr: 'sh: frobnicate: not found\n' }],
    [
      'cat /nope',
      { exitCode: 1, stdout: '', stderr: "cat: can't open '/nope': No such file or directory\n" },
    ],
    [
      'echo kept > /tmp/x; cat /tmp/x; test -f /tmp/x && rm /tmp/x; test -f /tmp/x',
      { exitCode: 1, stdout: 'kept\n', stderr: '' },
    ],
    ['echo quiet > /dev/null 2>&1', { exitCode: 0, stdout: '', stderr: '' }],
    ['[ red = red ] && [ red != blue ] && [ -n "$COLOR" ]', { exitCode: 0, stdout: '', stderr: '' }],
  ])('%s', async (text, result) => {
    const { sh } = await shell();
    expect(await sh(text)).toEqual(result);
  });

  test('take the time they take, and can be given up', async () => {
    const { lab, run, sh } = await shell();
    const begun = lab.services.clock.now();
    expect(await sh('sleep 90; exit 4')).toMatchObject({ exitCode: 4 });
    expect(lab.services.clock.now() - begun).toBe(90_000);
    const stop = new AbortController();
    const endless = run(['sleep', 'infinity'], stop.signal);
    const limit = lab.services.clock.sleep(5_000, never).then(() => stop.abort());
    await expect(endless).rejects.toMatchObject({ outcome: 'unknown', reason: 'Unreachable' });
    await limit;
  });

  test('kill 1 restarts the container', async () => {
    const { lab, sh } = await shell();
    await sh('kill -9 1');
    const restarted = [{ restartCount: 1, ready: true }];
    await until(lab, kinds.pods, ([found]) => {
      const statuses = at(found, 'status', 'containerStatuses') as readonly {
        restartCount: number;
        ready: boolean;
      }[];
      return isDeepStrictEqual(
        statuses.map(({ restartCount, ready }) => ({ restartCount, ready })),
        restarted,
      );
    });
  });

  test('nodetool tells every node of Cassandra', async () => {
    const { services } = openSandbox({ seed: 2 });
    const run = () =>
      services.kubernetes.execRead(
        {
          namespace: 'cassandra-system',
          pod: 'cassandra-0',
          container: 'cassandra',
          command: ['nodetool', 'status'],
        },
        never,
      );
    expect((await run()).stdout.match(/^UN /gm)).toHaveLength(3);
    await services.kubernetes.delete(
      { kind: kinds.pods, namespace: 'cassandra-system', name: 'cassandra-2' },
      {},
    );
    await services.clock.sleep(20_000, never);
    expect((await run()).stdout.match(/^UN /gm)).toHaveLength(2);
  });
});

describe('logs', () => {
  const logs = async (lab: Awaited<ReturnType<typeof openLab>>, options: object, signal = never) => {
    const chunks: string[] = [];
    for await (const chunk of lab.services.kubernetes.logs({ namespace: 'lab', pod: 'box' }, options, signal))
      chunks.push(chunk);
    return chunks;
  };

  test('of a loop are followed line by line as time passes', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(
      plainPod('box', script('echo up; while true; do sleep 10; echo tick; done')),
    );
    await until(
      lab,
      kinds.pods,
      ([found]) => (found?.status as { phase?: string } | undefined)?.phase === 'Running',
    );
    const begun = lab.services.clock.now();
    const stop = new AbortController();
    lab.services.clock.sleep(35_000, never).then(
      () => stop.abort(),
      () => undefined,
    );
    expect(await logs(lab, { follow: true }, stop.signal)).toEqual(['up\n', 'tick\n', 'tick\n', 'tick\n']);
    expect(lab.services.clock.now() - begun).toBe(35_000);
    expect(await logs(lab, { tailLines: 2 })).toEqual(['tick\ntick\n']);
    expect(await logs(lab, { sinceSeconds: 12 })).toEqual(['tick\n']);
  });

  test('of several containers ask for a name', async () => {
    const { services } = openSandbox({ seed: 2 });
    const [pod] = await services.kubernetes.list(kinds.pods, {
      namespace: 'nats-system',
      labelSelector: 'app.kubernetes.io/component=nats',
    });
    const read = services.kubernetes.logs(
      { namespace: 'nats-system', pod: pod?.metadata.name ?? '' },
      {},
      never,
    );
    await expect(read[Symbol.asyncIterator]().next()).rejects.toThrow(/choose one of: \[nats reloader\]/);
  });

  test('of a seeded server begin with its start', async () => {
    const { services } = openSandbox({ seed: 2 });
    const [pod] = await services.kubernetes.list(kinds.pods, { namespace: 'ess' });
    let text = '';
    for await (const chunk of services.kubernetes.logs(
      { namespace: 'ess', pod: pod?.metadata.name ?? '' },
      { container: 'helm-nvcf-ess-api' },
      never,
    ))
      text += chunk;
    const own = text.split('\n').filter((line) => !line.includes('MasterKey') && !line.includes('masterKey'));
    expect(own.slice(0, 2).join('\n')).toBe(
      'INFO  [main] ess-api: Starting ess-api with profile ncp-prod\nINFO  [main] ess-api: Started ess-api',
    );
    expect(text.split('\n').length).toBeGreaterThan(1_000);
  });
});

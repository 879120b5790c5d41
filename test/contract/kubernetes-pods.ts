import { beforeAll, describe, expect, test } from 'vitest';
import {
  type ExecRequest,
  type KubernetesObject,
  kinds,
  type LogOptions,
} from '../../src/services/kubernetes.ts';
import {
  at,
  eventually,
  failureOf,
  type KubernetesWorld,
  named,
  podManifest,
  refOf,
  startPod,
} from './kubernetes-setup.ts';

const never = () => new AbortController().signal;

/** Programs and logs inside containers. */
export function podsContract(world: () => KubernetesWorld): void {
  describe('exec', () => {
    let pod: KubernetesObject;
    beforeAll(async () => {
      pod = await startPod(world(), podManifest(world(), 'shell'));
    });
    const run = (command: readonly string[], more: Partial<ExecRequest> = {}) =>
      world().kubernetes.exec(
        { namespace: world().namespace, pod: 'shell', container: 'main', command, ...more },
        never(),
      );

    test('keeps stdout, stderr and the exit code apart', async () => {
      expect(await run(['sh', '-c', 'echo out; echo err >&2; exit 3'])).toEqual({
        exitCode: 3,
        stdout: 'out\n',
        stderr: 'err\n',
      });
    });

    test.each([
      [['true'], 0],
      [['false'], 1],
    ])('%j ends with %i', async (command, exitCode) => {
      expect(await run(command)).toEqual({ exitCode, stdout: '', stderr: '' });
    });

    test('feeds stdin and closes it', async () => {
      const text = 'line one\nline two, Ünïcode\n';
      const result = await run(['cat'], { stdin: Buffer.from(text) });
      expect(result).toEqual({ exitCode: 0, stdout: text, stderr: '' });
    });

    test('a program that does not exist was not run', async () => {
      const failure = await failureOf(run(['no-such-program']));
      expect(failure).toMatchObject({ outcome: 'not-applied' });
      expect(failure.message).toContain('no-such-program');
    });

    test('another pod under the name is refused before anything runs', async () => {
      const uid = '00000000-0000-0000-0000-000000000000';
      const failure = await failureOf(run(['true'], { uid }));
      expect(failure).toMatchObject({ outcome: 'not-applied', retryable: false });
      expect(failure.message).toContain(pod.metadata.uid);
      expect(await run(['true'], { uid: pod.metadata.uid })).toMatchObject({ exitCode: 0 });
    });

    test.each([
      ['a missing pod', { pod: 'nobody' }],
      ['a missing container', { container: 'nothing' }],
      ['an empty command', { command: [] }],
      ['an empty container', { container: '' }],
    ])('%s is refused', async (_, change) => {
      expect(await failureOf(run(['true'], change))).toMatchObject({ outcome: 'not-applied' });
    });

    test('a reading exec answers the same', async () => {
      const request = {
        namespace: world().namespace,
        pod: 'shell',
        container: 'main',
        command: ['echo', 'hi'],
      };
      expect(await world().kubernetes.execRead(request, never())).toMatchObject({
        exitCode: 0,
        stdout: 'hi\n',
      });
    });
  });

  describe('logs', () => {
    const read = async (name: string, options: LogOptions) => {
      let text = '';
      const ref = { namespace: world().namespace, pod: name };
      for await (const chunk of world().kubernetes.logs(ref, options, never())) text += chunk;
      return text;
    };

    test('come whole, by tail, by bytes and since a while', async () => {
      const script = 'echo one; echo two; echo drei ü; sleep 2147483647';
      await startPod(world(), podManifest(world(), 'talking', { script }));
      expect(await read('talking', {})).toBe('one\ntwo\ndrei ü\n');
      expect(await read('talking', { container: 'main', tailLines: 2 })).toBe('two\ndrei ü\n');
      expect(await read('talking', { tailLines: 0 })).toBe('');
      expect(await read('talking', { limitBytes: 3 })).toBe('one');
      expect(await read('talking', { sinceSeconds: 3600 })).toBe('one\ntwo\ndrei ü\n');
    });

    test('follow a container to its end', async () => {
      const { kubernetes, namespace } = world();
      const script = 'echo first; sleep 2; echo last';
      await startPod(world(), podManifest(world(), 'ending', { script }));
      const seen: string[] = [];
      const ref = { namespace, pod: 'ending' };
      for await (const chunk of kubernetes.logs(ref, { follow: true }, never())) seen.push(chunk);
      expect(seen.join('')).toBe('first\nlast\n');
      expect(seen.length).toBeGreaterThan(1);
    });

    test('following ends with the signal, without an error', async () => {
      const { kubernetes, namespace } = world();
      await startPod(world(), podManifest(world(), 'endless'));
      const stop = new AbortController();
      let text = '';
      for await (const chunk of kubernetes.logs(
        { namespace, pod: 'endless' },
        { follow: true },
        stop.signal,
      )) {
        text += chunk;
        stop.abort();
      }
      expect(text).toBe('started\n');
    });

    test('of the container before the restart', async () => {
      const { kubernetes } = world();
      const manifest = podManifest(world(), 'crashing', {
        script: 'echo crashed; sleep 2; exit 1',
        spec: { restartPolicy: 'Always' },
      });
      await kubernetes.create(manifest);
      await eventually(
        world(),
        { kind: kinds.pods, ...named('crashing') },
        ([found]) =>
          at(found, 'status', 'containerStatuses', 0, 'restartCount') === 1 &&
          at(found, 'status', 'containerStatuses', 0, 'state', 'running') !== undefined,
      );
      expect(await read('crashing', { previous: true })).toBe('crashed\n');
      await kubernetes.delete(refOf(world(), kinds.pods, 'crashing'), {});
    });

    test('of a missing pod or container are refused', async () => {
      expect(await failureOf(read('nobody', {}))).toMatchObject({ status: 404 });
      await startPod(world(), podManifest(world(), 'mute'));
      expect(await failureOf(read('mute', { container: 'nothing' }))).toMatchObject({ status: 400 });
      expect(await failureOf(read('mute', { previous: true }))).toMatchObject({ status: 400 });
    });
  });
}

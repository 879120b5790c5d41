import { expect, test } from 'vitest';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { NatsError, type NatsServer } from '../../src/services/nats.ts';
import { never, pass } from './rig.ts';

const namespace = 'nats-system';
const pods = ['nats-0', 'nats-1', 'nats-2'];

function opened(): Sandbox {
  return openSandbox({ seed: 3 });
}

const ask = ({ services }: Sandbox, pod: string) =>
  services.nats.server({ namespace, pod, port: 8222 }, never);

async function deletePods({ services }: Sandbox, names: readonly string[]): Promise<void> {
  for (const name of names) await services.kubernetes.delete({ kind: kinds.pods, namespace, name }, {});
}

function held(server: NatsServer): readonly (readonly [string, number])[] {
  return server.streams.map(({ name, messages }) => [name, messages]);
}

const seeded = [
  ['CreateNvcaFunctionTaskStream', 3],
  ['TerminateNvcaStream', 12],
];

test('a server that comes back has nothing at first, and says so, while its leader believes in it', async () => {
  const sandbox = opened();
  await deletePods(sandbox, ['nats-0']);
  const seen: string[] = [];
  for (let at = 0; at < 400 && !seen.includes('nothing'); at += 1) {
    await pass(sandbox, 100);
    const server = await ask(sandbox, 'nats-0').catch((error: unknown) => {
      expect(error).toBeInstanceOf(NatsError);
      return undefined;
    });
    const empty = server?.streams.find(({ messages }) => messages === 0);
    if (server === undefined || empty === undefined) continue;
    const leaders = await Promise.all(['nats-1', 'nats-2'].map((pod) => ask(sandbox, pod)));
    const led = leaders
      .flatMap(({ name, streams }) => streams.filter(({ leader }) => leader === name))
      .find(({ name }) => name === empty.name);
    if (led?.peers.find(({ name }) => name === 'nats-0')?.current !== true) continue;
    expect(server.problem).not.toBe('');
    seen.push('nothing');
  }
  expect(seen).toEqual(['nothing']);
  await pass(sandbox, 15_000);
  expect(held(await ask(sandbox, 'nats-0'))).toEqual(seeded);
});

test('streams live as long as most of their copies, one pod after the other', async () => {
  const sandbox = opened();
  for (const pod of pods) {
    await deletePods(sandbox, [pod]);
    await pass(sandbox, 30_000);
  }
  for (const pod of pods) expect(held(await ask(sandbox, pod)), pod).toEqual(seeded);
});

test('with the last of the servers every stream is gone', async () => {
  const sandbox = opened();
  await deletePods(sandbox, pods);
  await pass(sandbox, 60_000);
  for (const pod of pods) {
    const server = await ask(sandbox, pod);
    expect(server.streams).toEqual([]);
    expect(server.meta?.leader).toBeDefined();
    expect(server.problem).toBe('');
  }
});

test('without most of the servers nobody leads, and the one that is left keeps its copies', async () => {
  const sandbox = opened();
  await deletePods(sandbox, ['nats-0', 'nats-1']);
  await pass(sandbox, 5_500);
  const alone = await ask(sandbox, 'nats-2');
  expect(alone.meta?.leader).toBeUndefined();
  expect(alone.problem).toBe('JetStream has not established contact with a meta leader');
  expect(held(alone)).toEqual(seeded);
  await pass(sandbox, 60_000);
  for (const pod of pods) expect(held(await ask(sandbox, pod)), pod).toEqual(seeded);
});

test('a meta group that lost its leader says so on every server until it has another one', async () => {
  const sandbox = opened();
  sandbox.control.loseMetaLeader(20_000);
  for (const pod of pods) expect((await ask(sandbox, pod)).meta?.leader).toBeUndefined();
  await pass(sandbox, 25_000);
  const leaders = await Promise.all(pods.map(async (pod) => (await ask(sandbox, pod)).meta?.leader));
  expect(new Set(leaders).size).toBe(1);
  expect(pods).toContain(leaders[0]);
});

test('a stream that somebody deletes is gone on every server', async () => {
  const sandbox = opened();
  sandbox.control.dropStream('TerminateNvcaStream');
  for (const pod of pods)
    expect(held(await ask(sandbox, pod))).toEqual([['CreateNvcaFunctionTaskStream', 3]]);
});

import { derivedInteger } from '../crypto/derive.ts';
import type { ContainerRun } from '../kubelet/runtime.ts';
import { readStored, storedVersion } from '../mek/stored.ts';
import type { Pod } from '../objects.ts';
import type { World } from '../world.ts';
import { parse, render } from './document.ts';
import { startJobs } from './jobs.ts';
import { consumersOf, runOf, say } from './running.ts';
import { type Consumer, type ConsumerKind, consumerKind, type Ticks } from './state.ts';

const MINUTE = 60_000;
/** How often an agent reads a static secret again, and how often ESS looks at its file. */
const RENDER = 5 * MINUTE;
const POLL = 10 * MINUTE;
/** From a container's start until its agent has written the file, and between two attempts. */
const FIRST_RENDER = 1_500;
const RENDER_AGAIN = 5_000;
/** The share of its start-up after which a service loads its keys. */
const LOADS_AT = 0.6;

function untilTick({ from, every }: Ticks, now: number): number {
  return every - ((((now - from) % every) + every) % every);
}

/** Reads the file: what the service loads and prints when it starts and when it refreshes. Answers the problem if there is one. */
function load(world: World, consumer: Consumer, at = world.timeline.now): string | undefined {
  const parsed = parse(consumer.kind, consumer.file ?? '{"list":[]}');
  consumer.keys = parsed.ok ? parsed.value : undefined;
  if (!parsed.ok) return parsed.problem;
  const { current, keys, kids } = parsed.value;
  if (consumer.kind === 'ess') {
    say(world, consumer, `INFO  [main] %: Loaded masterKey. Current kid: ${current}`, at);
    say(
      world,
      consumer,
      `INFO  [main] %: Loaded ${kids.length} allMasterKeys. Kids: [${kids.join(', ')}]`,
      at,
    );
  } else {
    const text = `Loaded private JWKs. Kids: [${[...keys.keys()].join(', ')}]. Current kid: ${current}`;
    say(world, consumer, `INFO  [main] %: ${text}`, at);
  }
  return undefined;
}

function refresh(world: World, consumer: Consumer): void {
  if (runOf(world, consumer) === undefined) return;
  say(world, consumer, 'INFO  [refresher] %: Properties file changed, triggering refresh...');
  say(world, consumer, 'INFO  [refresher] %: reloading master encryption key');
  const problem = load(world, consumer);
  if (problem === undefined) {
    const updated = 'kv.crypto.masterKey, kv.crypto.allMasterKeys';
    const text = 'FileBasedPropertiesRefresher refreshed properties successfully. Updated keys:';
    say(world, consumer, `INFO  [refresher] %: ${text} [${updated}]`);
    return;
  }
  say(world, consumer, `ERROR [refresher] %: error during properties refresh - ${problem}`);
  pollLater(world, consumer);
}

function pollLater(world: World, consumer: Consumer): void {
  const wait = untilTick(consumer.polls, world.timeline.now);
  world.timeline.schedule(wait, () => refresh(world, consumer), `poll:${consumer.runId}`);
}

function renderLater(world: World, consumer: Consumer): void {
  const wait = untilTick(consumer.renders, world.timeline.now);
  const again = (): void => {
    if (runOf(world, consumer) === undefined) return;
    const stored = readStored(world);
    if (stored.state === 'unavailable') {
      renderLater(world, consumer);
      return;
    }
    const rendered = stored.state === 'found' ? render(consumer.kind, stored.data) : undefined;
    if (rendered?.ok !== true || rendered.value === consumer.file) return;
    consumer.file = rendered.value;
    pollLater(world, consumer);
  };
  world.timeline.schedule(wait, again, `render:${consumer.runId}`);
}

/** The first file: without it the service waits, as its pod does for the agent. */
function begin(
  world: World,
  consumer: Consumer,
  given: { run: ContainerRun; delay: number; fail: () => void },
): void {
  if (runOf(world, consumer) === undefined) return;
  const stored = readStored(world);
  const rendered = stored.state === 'found' ? render(consumer.kind, stored.data) : undefined;
  if (rendered?.ok !== true) {
    world.timeline.schedule(RENDER_AGAIN, () => begin(world, consumer, given));
    return;
  }
  consumer.file = rendered.value;
  world.timeline.schedule(given.delay * LOADS_AT - FIRST_RENDER, () => {
    if (runOf(world, consumer) === undefined) return;
    const problem = load(world, consumer);
    if (problem === undefined) {
      given.run.live.waiting = false;
      if (consumer.kind === 'ess') startJobs(world, consumer);
      return;
    }
    say(world, consumer, `ERROR [main] %: Application run failed: ${problem}`);
    given.fail();
  });
}

function newConsumer(
  world: World,
  kind: ConsumerKind,
  given: { pod: Pod; container: string; run: ContainerRun },
): Consumer {
  const { pod, container, run } = given;
  const phase = (every: number, label: string): Ticks => ({
    from: run.startedAt + derivedInteger(world.seed, every, label, run.id),
    every,
  });
  const consumer: Consumer = {
    kind,
    namespace: pod.metadata.namespace ?? '',
    pod: pod.metadata.name,
    uid: pod.metadata.uid,
    container,
    runId: run.id,
    file: undefined,
    keys: undefined,
    renders: phase(RENDER, 'render'),
    polls: phase(POLL, 'poll'),
    counters: new Map(),
    encryption: new Map(),
    decryption: new Map(),
  };
  world.consumers.set(consumer.uid, consumer);
  return consumer;
}

/** A container came up; one of a service that uses master keys loads them, and is not ready before. */
export function consumerStarted(
  world: World,
  given: {
    readonly pod: Pod;
    readonly container: string;
    readonly run: ContainerRun;
    /** Milliseconds of its start-up. */
    readonly delay: number;
    /** Ends it with an error. */
    readonly fail: () => void;
  },
): void {
  const kind = consumerKind(given.container);
  // While the world is seeded, there is nothing to read yet.
  if (kind === undefined || world.timeline.now < world.epoch) return;
  const consumer = newConsumer(world, kind, given);
  given.run.live.waiting = true;
  world.timeline.schedule(FIRST_RENDER, () => begin(world, consumer, given));
}

/** The services of a seeded world have loaded its document long ago. */
export function settleConsumers(world: World, pods: readonly Pod[]): void {
  for (const pod of pods)
    for (const { name, run } of world.runtimes.get(pod.metadata.uid)?.containers ?? []) {
      const kind = consumerKind(name);
      const stored = readStored(world);
      if (kind === undefined || run === undefined || stored.state !== 'found') continue;
      const consumer = newConsumer(world, kind, { pod, container: name, run });
      const rendered = render(kind, stored.data);
      consumer.file = rendered.ok ? rendered.value : undefined;
      load(world, consumer, run.startedAt + 20_000);
    }
  world.documentSeen = storedVersion(world);
}

/** Somebody may have written the document: agents will read it at their next turn. */
export function noticeDocument(world: World): void {
  const version = storedVersion(world);
  if (version === world.documentSeen) return;
  world.documentSeen = version;
  for (const consumer of consumersOf(world, 'ess')) renderLater(world, consumer);
}

import { kinds } from '../../services/kubernetes.ts';
import type { NekRow } from '../../services/nek-store.ts';
import { derived, derivedInteger } from '../crypto/derive.ts';
import { timeOfUuid } from '../crypto/time-uuid.ts';
import { changeRows } from '../nek-store/changes.ts';
import { hasQuorum, ownNodes } from '../nek-store/nodes.ts';
import { currentKidOf, rowsOf } from '../nek-store/rows.ts';
import { wrapNek } from '../nek-store/seed.ts';
import { namespacesOf, partitionOf, stamp } from '../nek-store/tables.ts';
import type { Pod } from '../objects.ts';
import type { World } from '../world.ts';
import { createKey, EssFailure, mask, requireKeys, selectKey } from './ess.ts';
import { unwrapRow } from './nek.ts';
import { runOf, say } from './running.ts';
import { type Consumer, count } from './state.ts';
import { type EssSettings, type JobSettings, nextRun, settingsOf } from './toggles.ts';

/** Virtual milliseconds that a job spends on a namespace. */
const PER_NAMESPACE = 40;
const DAY = 86_400_000;

type JobName = 'rotation' | 'reencryption' | 'promotion';

interface Job {
  readonly name: JobName;
  readonly consumer: Consumer;
  readonly settings: EssSettings;
}

const WORDS: Readonly<Record<JobName, string>> = {
  rotation: 'rotation',
  reencryption: 're-encryption',
  promotion: 'promotion',
};

function rowsIn(world: World, namespace: string): readonly NekRow[] {
  const partition = partitionOf(world, namespace);
  return partition === undefined ? [] : rowsOf(partition, { namespace, now: world.timeline.now });
}

/** The newest valid row of a kid, unwrapped and wrapped again with the current master key, as a row that waits for its promotion. */
function reencrypt(world: World, job: Job, at: { namespace: string; kid: string }): boolean {
  const { consumer, settings } = job;
  const { now } = world.timeline;
  const row = selectKey(world, consumer, at);
  const keys = requireKeys(consumer);
  const target = timeOfUuid(keys.current) ?? 0;
  const wrappedBy = timeOfUuid(row.encryptedByKid ?? '') ?? -1;
  if (wrappedBy >= target || now - row.encryptedAt < settings.reencryption.period) return false;
  const verdict = unwrapRow(row, keys);
  const bytes = keys.keys.get(keys.current);
  if (verdict.state !== 'usable' || bytes === undefined || row.createdAt === null)
    throw new EssFailure(500, 'the key cannot be unwrapped');
  const time = stamp(world);
  const encryptedKey = wrapNek(
    { kid: keys.current, bytes },
    {
      text: verdict.text,
      iv: derived(world.seed, 12, 'reencrypted', time),
      namespace: at.namespace,
      createdAt: row.createdAt,
      encryptedAt: now,
    },
  );
  changeRows(world, {
    what: 'insert',
    namespace: at.namespace,
    rows: [[row.kid, now, row.createdAt, keys.current, 'PENDING_REENCRYPTION', encryptedKey]],
    stamp: time,
  });
  return true;
}

function isDue(settings: JobSettings, namespace: string): boolean {
  return settings.enabled || settings.namespaces.includes(namespace);
}

/** A new key for the namespace, which waits for its promotion. */
function rotate(world: World, job: Job, namespace: string): number {
  const { consumer, settings } = job;
  const partition = partitionOf(world, namespace);
  const current = partition === undefined ? null : currentKidOf(partition, world.timeline.now);
  if (current === null) return 0;
  const born = rowsIn(world, namespace).find(({ kid }) => kid === current)?.createdAt ?? '';
  const age = world.timeline.now - (timeOfUuid(born) ?? 0);
  const forced = settings.rotation.namespaces.includes(namespace);
  if (!forced && !(settings.rotation.enabled && age >= settings.rotation.period)) return 0;
  createKey(world, consumer, { namespace, status: 'PENDING_ROTATION' });
  return 1;
}

function promote(world: World, job: Job, namespace: string): number {
  const { consumer } = job;
  let promoted = 0;
  for (const row of rowsIn(world, namespace)) {
    if (row.status === 'VALIDATED') continue;
    const verdict = unwrapRow(row, requireKeys(consumer));
    if (verdict.state !== 'usable') {
      count(consumer, `nek_promotion_errors_total{ek_namespace="${namespace}",kid="${mask(row.kid)}"}`);
      continue;
    }
    changeRows(world, { what: 'update', key: row, set: { status: 'VALIDATED' } });
    if (row.status === 'PENDING_ROTATION')
      changeRows(world, { what: 'current-kid', namespace, kid: row.kid });
    say(
      world,
      consumer,
      `INFO  [promotion] %: Successfully promoted NEKv2 | namespace ${namespace}, ${mask(row.kid)}`,
    );
    promoted += 1;
  }
  return promoted;
}

function work(world: World, job: Job, namespace: string): number {
  const { consumer, name, settings } = job;
  if (name === 'rotation') return rotate(world, job, namespace);
  if (!isDue(settings[name], namespace)) return 0;
  if (name === 'promotion') return promote(world, job, namespace);
  let done = 0;
  for (const kid of new Set(rowsIn(world, namespace).map((row) => row.kid)))
    try {
      if (reencrypt(world, job, { namespace, kid })) done += 1;
    } catch (failure) {
      if (!(failure instanceof EssFailure)) throw failure;
      count(consumer, `nek_reencryption_errors_total{ek_namespace="${namespace}",kid="${mask(kid)}"}`);
    }
  if (done > 0)
    say(world, consumer, `INFO  [reencryption] %: Re-encrypted: ${done} NEKs in namespace: ${namespace}`);
  return done;
}

function finished(world: World, job: Job, sum: { done: number; failed: number; begun: number }): void {
  const { consumer, name } = job;
  const took = `PT${(world.timeline.now - sum.begun) / 1000}S`;
  const text = {
    rotation: `Attempted NEK rotation in ${sum.done + sum.failed} namespaces. Successful: ${sum.done}. Failed: ${sum.failed}`,
    reencryption: `Re-encrypted ${sum.done} encryption keys, took ${took}`,
    promotion: `Promotion results: promoted ${sum.done} encryption keys, failed to promote ${sum.failed}`,
  }[name];
  say(world, consumer, `INFO  [${name}] %: ${text}`);
}

/** One namespace after the other, so that others can work between. */
function run(world: World, job: Job): void {
  const { consumer, name, settings } = job;
  if (runOf(world, consumer) === undefined) return;
  runLater(world, job);
  const { keys } = consumer;
  say(world, consumer, `INFO  [${name}] %: Starting encryption key ${WORDS[name]}`);
  const age = world.timeline.now - (timeOfUuid(keys?.current ?? '') ?? 0);
  if (keys === undefined) {
    say(world, consumer, `ERROR [${name}] %: Failed to do the ${WORDS[name]}: master keys are not available`);
    return;
  }
  if (name !== 'promotion' && age < settings.grace) {
    const word = name === 'rotation' ? 'Rotation' : 'Re-encryption';
    const grace = `PT${settings.grace / 3_600_000}H`;
    say(
      world,
      consumer,
      `WARN  [${name}] %: ${word} was triggered within ${grace} of MEK rotation, skipping execution`,
    );
    return;
  }
  const sum = { done: 0, failed: 0, begun: world.timeline.now };
  const left = [...namespacesOf(world)];
  const next = (): void => {
    if (runOf(world, consumer) === undefined) return;
    const namespace = left.shift();
    if (namespace === undefined) {
      finished(world, job, sum);
      return;
    }
    try {
      if (!hasQuorum(world, ownNodes(world))) throw new EssFailure(500, 'Cassandra is not available');
      sum.done += work(world, job, namespace);
    } catch (failure) {
      if (!(failure instanceof EssFailure)) throw failure;
      sum.failed += 1;
      say(world, consumer, `ERROR [${name}] %: ${failure.message}`);
    }
    world.timeline.schedule(PER_NAMESPACE, next);
  };
  // Replicas do not walk in step.
  world.timeline.schedule(1 + derivedInteger(world.seed, PER_NAMESPACE - 1, 'job', consumer.runId), next);
}

function runLater(world: World, job: Job): void {
  const { consumer, name, settings } = job;
  const { now } = world.timeline;
  const { cron } = settings[name];
  // Without a schedule of its own, a replica picks a time of the day when it starts.
  const daily = derivedInteger(world.seed, DAY, name, consumer.runId);
  const due = cron === undefined ? now + ((daily - (now % DAY) + DAY) % DAY || DAY) : nextRun(cron, now);
  if (due !== undefined) world.timeline.schedule(Math.max(1, due - now), () => run(world, job));
}

/** Plans the jobs that the environment of ESS's container turns on. */
export function startJobs(world: World, consumer: Consumer): void {
  const pod = world.store.get<Pod>(kinds.pods, consumer.namespace, consumer.pod);
  const settings = settingsOf(pod?.spec.containers.find(({ name }) => name === consumer.container));
  for (const name of ['rotation', 'reencryption', 'promotion'] as const) {
    if (!settings[name].scheduled) continue;
    const cron = settings[name].cron ?? 'a random time of the day';
    say(world, consumer, `INFO  [main] %: encryption keys ${WORDS[name]} schedule: ${cron}`);
    runLater(world, { name, consumer, settings });
  }
}

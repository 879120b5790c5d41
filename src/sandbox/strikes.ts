import { kinds } from '../services/kubernetes.ts';
import { keysOf } from './consumers/document.ts';
import { selectRow } from './consumers/nek.ts';
import { consumersOf } from './consumers/running.ts';
import { derived } from './crypto/derive.ts';
import { deletePod } from './deletion.ts';
import { find, keyOf, killContainer } from './kubelet/containers.ts';
import { runMigrations } from './mek/migrations.ts';
import { MEK_PATH } from './mek/seed.ts';
import { BAO_NAMESPACE, readStored, storedVersion, writeSecret } from './mek/stored.ts';
import { dropLeader, dropStream, NATS_NAMESPACE } from './nats/cluster.ts';
import { changeRows } from './nek-store/changes.ts';
import { rowsOf } from './nek-store/rows.ts';
import { wrapNek } from './nek-store/seed.ts';
import { startNode, stopNode } from './nek-store/stop.ts';
import { namespacesOf, partitionOf, stamp } from './nek-store/tables.ts';
import type { Pod } from './objects.ts';
import { goJson } from './openbao/answers.ts';
import { seal, stepDown, unseal } from './openbao/cluster.ts';
import { addVersion } from './openbao/kv.ts';
import { serverNow } from './openbao/server-clock.ts';
import type { World } from './world.ts';

export type StrikeTarget =
  | 'openbao-active'
  | 'openbao-standby'
  | 'ess'
  | 'api-keys'
  | 'nvcf-api'
  | 'cassandra'
  | 'nats';

/** What can happen to a simulated control plane while somebody works on it. Durations are virtual milliseconds. */
export type Strike =
  /** This process ends at once, as by `kill -9`. */
  | { readonly what: 'die' }
  /** Somebody presses Ctrl-C so many times. */
  | { readonly what: 'interrupt'; readonly times: number }
  /** A container ends and is started again; `gone`: its pod is deleted without grace. */
  | { readonly what: 'kill-pod'; readonly of: StrikeTarget; readonly at?: number; readonly gone?: boolean }
  /** Sealed until somebody unseals it, or for so long. */
  | { readonly what: 'seal'; readonly of: 'openbao-active' | 'openbao-standby'; readonly for?: number }
  | { readonly what: 'step-down' }
  | { readonly what: 'stop-nodes'; readonly nodes: readonly number[]; readonly for: number }
  /** Somebody deletes a stream of NATS, with its messages. */
  | { readonly what: 'drop-stream'; readonly name: string }
  /** JetStream's meta group has no leader for so long. */
  | { readonly what: 'lose-meta-leader'; readonly for: number }
  /** The next such call takes effect (or not) and gets no answer. */
  | {
      readonly what: 'lose';
      readonly at: 'kv-write' | 'nek-insert' | 'patch';
      readonly applied: boolean;
    }
  /**
   * Somebody else writes the MEK document: adds a field or reorders keys behind the first with check-and-set,
   * or adds a field without.
   */
  | { readonly what: 'write-document'; readonly how: 'field' | 'reorder' | 'blind' }
  /**
   * Somebody else re-encrypts so many namespace keys and promotes them a moment later. Its rows say that they were made within
   * `around` milliseconds before or after now.
   */
  | { readonly what: 'reencrypt'; readonly keys: number; readonly around: number; readonly promoted: boolean }
  /** Whoever was sealed or stopped is brought back, and no answer is lost any more. */
  | { readonly what: 'mend' }
  /** The migrations Job runs and takes a failed read for an absent document. */
  | { readonly what: 'migrations' };

const PROMOTED_AFTER = 2_000;

function podsAt(
  world: World,
  of: StrikeTarget,
): readonly { namespace: string; pod: string; container: string }[] {
  if (of === 'cassandra')
    return [0, 1, 2].map((at) => ({ namespace: 'cassandra-system', pod: `cassandra-${at}`, container: of }));
  if (of === 'nats')
    return [0, 1, 2].map((at) => ({ namespace: NATS_NAMESPACE, pod: `nats-${at}`, container: of }));
  if (of === 'openbao-active' || of === 'openbao-standby') {
    const cluster = world.openbao.get(BAO_NAMESPACE);
    return [...(cluster?.nodes.keys() ?? [])]
      .filter((pod) => (pod === cluster?.leader) === (of === 'openbao-active'))
      .sort()
      .map((pod) => ({ namespace: BAO_NAMESPACE, pod, container: 'openbao' }));
  }
  return consumersOf(world, of);
}

function kill(world: World, strike: Extract<Strike, { what: 'kill-pod' }>): boolean {
  const pods = podsAt(world, strike.of);
  const target = pods[(strike.at ?? 0) % Math.max(1, pods.length)];
  const pod = target && world.store.get<Pod>(kinds.pods, target.namespace, target.pod);
  if (target === undefined || pod === undefined) return false;
  if (strike.gone === true) {
    deletePod(world, pod, 0);
    return true;
  }
  const running = find(world, keyOf(pod));
  const container = running?.runtime.containers.find(({ name }) => name === target.container);
  if (running === undefined || container?.run === undefined) return false;
  killContainer(world, running, { container, code: 137 });
  return true;
}

function sealOne(world: World, strike: Extract<Strike, { what: 'seal' }>): boolean {
  const [target] = podsAt(world, strike.of);
  if (target === undefined) return false;
  seal(world, BAO_NAMESPACE, target.pod);
  if (strike.for !== undefined)
    world.timeline.schedule(strike.for, () => unseal(world, BAO_NAMESPACE, target.pod));
  return true;
}

function stop(world: World, strike: Extract<Strike, { what: 'stop-nodes' }>): void {
  const pods = strike.nodes.map((at) => `cassandra-${at}`);
  for (const pod of pods) stopNode(world, pod);
  world.timeline.schedule(strike.for, () => {
    for (const pod of pods) startNode(world, pod);
  });
}

interface Entry {
  readonly kid: string;
}

function reordered(field: unknown): string {
  const { keys } = JSON.parse(Buffer.from(String(field), 'base64').toString('utf8')) as { keys: Entry[] };
  const [first, ...others] = keys;
  return Buffer.from(JSON.stringify({ keys: [first, ...others.reverse()] })).toString('base64');
}

/** Answers what came of it, in a word. */
function writeDocument(world: World, how: 'field' | 'reorder' | 'blind'): string | undefined {
  const stored = readStored(world);
  if (stored.state !== 'found') return undefined;
  const { data, version } = stored;
  const field = { [`note_${version}`]: `written by somebody else at ${world.timeline.now}` };
  if (how === 'blind') {
    const outcome = writeSecret(world, MEK_PATH, { ...data, ...field });
    return 'refused' in outcome ? 'refused' : 'written';
  }
  const sets = { keys: reordered(data.keys), private_jwks: reordered(data.private_jwks) };
  const mount = world.openbao.get(BAO_NAMESPACE)?.mounts.get(MEK_PATH.mount);
  if (mount === undefined || storedVersion(world) !== version) return undefined;
  const json = goJson({ ...data, ...(how === 'field' ? field : sets) });
  addVersion(mount, MEK_PATH.path, { json, now: serverNow(world) });
  return 'written';
}

interface Reencryption {
  readonly namespace: string;
  readonly kid: string;
  readonly encryptedAt: number;
}

/** Rows under the document's first key for keys that lie under another one, as another re-encryption would insert them. */
function reencrypt(world: World, strike: Extract<Strike, { what: 'reencrypt' }>): number {
  const stored = readStored(world);
  const parsed = stored.state === 'found' ? keysOf('ess', stored.data) : undefined;
  if (parsed?.ok !== true) return 0;
  const { current, keys } = parsed.value;
  const bytes = keys.get(current);
  const made: Reencryption[] = [];
  const { now } = world.timeline;
  for (const namespace of namespacesOf(world)) {
    const partition = partitionOf(world, namespace);
    const rows = partition === undefined ? [] : rowsOf(partition, { namespace, now });
    for (const kid of new Set(rows.map((row) => row.kid))) {
      const selected = selectRow(
        rows.filter((row) => row.kid === kid),
        parsed.value,
      );
      if (made.length >= strike.keys || bytes === undefined || !selected.ok) continue;
      const { row, text } = selected;
      if (row.encryptedByKid === current || row.createdAt === null) continue;
      const time = stamp(world);
      const encryptedAt = now - strike.around + (made.length % (2 * strike.around + 1));
      if (rows.some((known) => known.kid === kid && known.encryptedAt === encryptedAt)) continue;
      const bound = { namespace, createdAt: row.createdAt, encryptedAt };
      const iv = derived(world.seed, 12, 'another reencryption', time);
      const encryptedKey = wrapNek({ kid: current, bytes }, { text, iv, ...bound });
      const packed = [
        kid,
        encryptedAt,
        row.createdAt,
        current,
        'PENDING_REENCRYPTION',
        encryptedKey,
      ] as const;
      changeRows(world, { what: 'insert', namespace, rows: [packed], stamp: time });
      made.push({ namespace, kid, encryptedAt });
    }
  }
  if (strike.promoted)
    world.timeline.schedule(PROMOTED_AFTER, () => {
      for (const key of made) changeRows(world, { what: 'update', key, set: { status: 'VALIDATED' } });
    });
  return made.length;
}

/** What happened, in words that a count goes by; undefined when it met nothing. Lost answers are counted when one is lost. */
function happened(world: World, strike: Strike): string | undefined {
  switch (strike.what) {
    case 'die':
      return 'die';
    case 'interrupt':
      return `interrupt ${strike.times}`;
    case 'kill-pod':
      return kill(world, strike) ? `kill-pod ${strike.of}` : undefined;
    case 'seal':
      return sealOne(world, strike) ? `seal ${strike.of}` : undefined;
    case 'step-down': {
      const leader = world.openbao.get(BAO_NAMESPACE)?.leader;
      if (leader === undefined) return undefined;
      stepDown(world, BAO_NAMESPACE, leader);
      return 'step-down';
    }
    case 'stop-nodes':
      stop(world, strike);
      return `stop-nodes ${strike.nodes.length}`;
    case 'drop-stream':
      return dropStream(world, strike.name) ? `drop-stream ${strike.name}` : undefined;
    case 'lose-meta-leader':
      dropLeader(world, strike.for);
      return 'lose-meta-leader';
    case 'lose': {
      const how = strike.applied ? 'lost' : 'not-done';
      if (strike.at !== 'patch') world.mishaps.push({ at: strike.at, how, times: 1 });
      else world.troubles.push({ verb: 'patch', resource: 'deployments', applied: strike.applied, times: 1 });
      return undefined;
    }
    case 'write-document': {
      const outcome = writeDocument(world, strike.how);
      return outcome === undefined ? undefined : `write-document ${strike.how} ${outcome}`;
    }
    case 'reencrypt':
      return reencrypt(world, strike) > 0 ? 'reencrypt' : undefined;
    case 'mend':
      world.mishaps.splice(0);
      world.troubles.splice(0);
      for (const { pod } of podsAt(world, 'cassandra')) startNode(world, pod);
      for (const pod of world.openbao.get(BAO_NAMESPACE)?.nodes.keys() ?? [])
        unseal(world, BAO_NAMESPACE, pod);
      return undefined;
    case 'migrations': {
      const outcome = runMigrations(world, true);
      return outcome.wrote ? 'migrations written' : `migrations refused`;
    }
  }
}

export function strikeWorld(world: World, strike: Strike): void {
  const what = happened(world, strike);
  if (what !== undefined) world.struck.push(what);
}

import { parseDuration } from '../../engine/duration.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekRetireWith } from '../../generated/types.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import type { Census } from '../../keys/nek-census.ts';
import { createCensus } from '../../keys/nek-census.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { condition, textAt } from '../kubectl/fields.ts';
import { countApiKeys, rowsUnder, unparsableRows } from './api-keys-rows.ts';
import type { Goal, PodProof } from './consumers.ts';
import { podsOfConsumer, proofsOf } from './consumers.ts';
import type { OpenDocument } from './document.ts';
import type { PastVersion } from './history.ts';
import { readHistory } from './history.ts';
import { eachNamespace } from './namespace-keys.ts';
import { requireClock } from './openbao.ts';
import { containerStatus } from './pod-log.ts';
import { logsSince } from './refreshing.ts';

/** One thing that must hold before a key may go. */
export interface Gate {
  readonly gate: string;
  readonly ok: boolean;
  readonly evidence: string;
}

const shortestApart = 60 * 60_000;
const shortestTokenLife = 3 * 3_600_000;
// An old pod serves a little longer than its successor has been ready; clocks differ a little.
const grace = 2 * 60_000;

/** Looks at every gate, also after one that does not hold. `without`: the document as it would be without the key. */
export async function lookAtGates(
  ctx: ReadContext,
  input: MekRetireWith,
  { open, without }: { readonly open: OpenDocument; readonly without: MekDocument },
): Promise<readonly Gate[]> {
  const now = requireClock(ctx, open.bao);
  const { versions } = await readHistory(ctx, open.bao);
  const inactive = inactiveSince(versions, input.kid);
  return [
    inactiveGate(inactive, input.kid),
    apartGate(input, { now, inactive }),
    await namespaceKeysGate(ctx, input, { documents: [open.document, without], now }),
    await apiKeysGate(ctx, input),
    ...(await consumerGates(ctx, input, { open, inactive, now })),
  ];
}

interface Inactive {
  /** The first version since which it has not been active. */
  readonly version: number;
  readonly createdTime: string;
}

/** Since when a key has not been active; a version that cannot be read may have had it so. */
function inactiveSince(versions: readonly PastVersion[], kid: string): Inactive | undefined {
  const last = versions.findLastIndex(
    ({ document }) => document === undefined || document.currentKid === kid || document.keys[0]?.kid === kid,
  );
  return versions[last + 1];
}

function inactiveGate(inactive: Inactive | undefined, kid: string): Gate {
  const gate = 'not active';
  if (inactive === undefined) return { gate, ok: false, evidence: `${kid} is the active key` };
  const { version, createdTime } = inactive;
  return { gate, ok: true, evidence: `not active since version ${version} of ${createdTime}, at the latest` };
}

function apartGate(
  { cleanSince, apart }: MekRetireWith,
  { now, inactive }: { readonly now: number; readonly inactive: Inactive | undefined },
): Gate {
  const gate = 'an earlier clean census';
  const since = Date.parse(cleanSince);
  if (Number.isNaN(since))
    throw new StepError('invalid-input', `cleanSince: '${cleanSince}' is not a time (RFC 3339).`, {
      outcome: 'not-applied',
    });
  if (inactive === undefined || since < Date.parse(inactive.createdTime))
    return { gate, ok: false, evidence: `${cleanSince} lies before the key stopped being active` };
  const wait = atLeast(apart, shortestApart);
  if (now - since >= wait)
    return { gate, ok: true, evidence: `clean at ${cleanSince}, ${minutes(now - since)} ago` };
  return {
    gate,
    ok: false,
    evidence: `clean at ${cleanSince}, ${minutes(now - since)} ago; it may pass at ${time(since + wait)}`,
  };
}

async function namespaceKeysGate(
  ctx: ReadContext,
  input: MekRetireWith,
  { documents, now }: { readonly documents: readonly MekDocument[]; readonly now: number },
): Promise<Gate> {
  const gate = 'namespace keys';
  // Without the key, too: what ESS would read then must be the same.
  const folds = documents.map((document) => createCensus({ document, kid: document.currentKid }));
  await eachNamespace(ctx, input, (rows) => {
    for (const fold of folds) fold.add(rows, now);
    return undefined;
  });
  const results = folds.map((fold) => fold.result());
  const [present] = results;
  const under = present?.byMek.find(({ kid }) => kid === input.kid);
  const waiting = (under?.selected ?? 0) + (under?.pending ?? 0);
  const bad = results.find(({ clean }) => !clean);
  if (present === undefined || waiting > 0)
    return { gate, ok: false, evidence: `${waiting} namespace keys are wrapped with it; run nek.reencrypt` };
  if (bad !== undefined) return { gate, ok: false, evidence: `the census is not clean: ${unclean(bad)}` };
  if (present.current !== results[1]?.current)
    return { gate, ok: false, evidence: 'without it ESS would read other rows' };
  return { gate, ok: true, evidence: `all ${present.current} are wrapped with ${present.kid}` };
}

function unclean({ remaining, anomalyCount, unusable, anomalies }: Census): string {
  const [first] = anomalies;
  const example = first === undefined ? '' : ` (${first.namespace}/${first.kid}: ${first.reason})`;
  return `${remaining} under other keys, ${anomalyCount} anomalies${example}, ${unusable} without a usable row`;
}

async function apiKeysGate(ctx: ReadContext, input: MekRetireWith): Promise<Gate> {
  const gate = 'rows of API Keys';
  const counts = await countApiKeys(ctx, input);
  const under = rowsUnder(counts, input.kid);
  if (under > 0)
    return {
      gate,
      ok: false,
      evidence: `${under} rows are encrypted with it; the last one is gone 367 days after it stopped being active, at the latest`,
    };
  const unknown = unparsableRows(counts);
  if (unknown > 0)
    return { gate, ok: false, evidence: `${unknown} rows do not say which key they are encrypted with` };
  const rows = counts.reduce((sum, count) => sum + count.rows, 0);
  return { gate, ok: true, evidence: `none of ${rows} rows names it` };
}

interface Around {
  readonly open: OpenDocument;
  readonly inactive: Inactive | undefined;
  readonly now: number;
}

async function consumerGates(
  ctx: ReadContext,
  input: MekRetireWith,
  around: Around,
): Promise<readonly Gate[]> {
  const { document } = around.open;
  const { version, createdTime } = around.inactive ?? around.open;
  const goal: Goal = {
    kid: document.currentKid,
    current: true,
    version,
    createdTime,
    kids: document.keys.map(({ kid }) => kid),
    whole: false,
  };
  const logs = logsSince(ctx, goal);
  const gates: Gate[] = [];
  let newest = Date.parse(createdTime);
  for (const consumer of input.consumers) {
    gates.push(loadedGate(consumer.name, goal, await proofsOf(ctx, consumer, { goal, logs })));
    if (consumer.loads !== 'start') continue;
    for (const pod of await podsOfConsumer(ctx, consumer))
      newest = Math.max(newest, ...startTimes(pod, consumer.container));
  }
  return [...gates, tokenGate(input, { newest, now: around.now })];
}

function loadedGate(consumer: string, { kid }: Goal, proofs: readonly PodProof[]): Gate {
  const gate = `${consumer} uses another key`;
  const open = proofs.find(({ state }) => state !== 'proven');
  if (open === undefined)
    return {
      gate,
      ok: true,
      evidence: `${proofs.length === 1 ? '1 pod has' : `${proofs.length} pods have`} ${kid} as active`,
    };
  return {
    gate,
    ok: false,
    evidence: `${open.pod}: ${open.evidence}; run mek.converge with kid ${kid} and current: true`,
  };
}

/** When a pod was made, its container was started, and it was ready: its predecessor has served until then. */
function startTimes(pod: KubernetesObject, container: string): readonly number[] {
  return [
    pod.metadata.creationTimestamp ?? '',
    textAt(containerStatus(pod, container), 'state', 'running', 'startedAt'),
    textAt(condition(pod, 'Ready'), 'lastTransitionTime'),
  ]
    .map((text) => Date.parse(text))
    .filter((value) => !Number.isNaN(value));
}

function tokenGate(
  { tokenLife }: MekRetireWith,
  { newest, now }: { readonly newest: number; readonly now: number },
): Gate {
  const gate = 'worker tokens';
  const end = newest + atLeast(tokenLife, shortestTokenLife) + grace;
  const evidence = `the last pod that could issue one under it ended by ${time(newest)}`;
  if (now >= end) return { gate, ok: true, evidence };
  return { gate, ok: false, evidence: `${evidence}; it may pass at ${time(end)}` };
}

function atLeast(text: string | undefined, least: number): number {
  return Math.max(least, text === undefined ? 0 : (parseDuration(text) ?? 0));
}

function minutes(milliseconds: number): string {
  const count = Math.max(0, Math.floor(milliseconds / 60_000));
  return count === 1 ? 'a minute' : `${count} minutes`;
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** For `check`: durations that are too short to prove anything. */
export function durationProblems({ apart, tokenLife }: MekRetireWith) {
  return [
    ['apart', apart, shortestApart, '60m'] as const,
    ['tokenLife', tokenLife, shortestTokenLife, '3h'] as const,
  ].flatMap(([field, text, least, written]) => {
    if (text === undefined) return [];
    const ms = parseDuration(text);
    if (ms === undefined)
      return [{ path: [field], message: `'${text}' is not a duration such as ${written}.` }];
    if (ms < least) return [{ path: [field], message: `'${text}' is too short: at least ${written}.` }];
    return [];
  });
}

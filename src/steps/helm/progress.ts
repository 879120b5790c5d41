import type { RunContext } from '../../engine/step-type.ts';
import type { HelmHook, HelmRelease } from '../../services/helm.ts';
import { goalOf, rolloutNow } from '../kubectl/rollout.ts';
import type { RolloutVerdict } from '../kubectl/rollout-verdict.ts';
import { readWorkload } from '../kubectl/workload.ts';
import { workloadsOf } from './release-failure.ts';
import { type ReleaseInput, refOf } from './release-target.ts';

const pause = 2_000;
/** Looks at the workloads between two looks at the release. */
const turns = 5;
/** How long pods must be beyond hope before nobody waits for them any more. */
const patience = 45_000;

/** No waiting cures these; everything else may. */
const beyondHope = new Set(['crash-loop', 'image-pull', 'container-config']);

interface Watching {
  readonly signal: AbortSignal;
  /** Pods of the release cannot become ready, and no hook has begun: stopping breaks nothing off. */
  readonly onHopeless?: () => void;
}

/** Shows how far a release is until the signal ends it; what cannot be read is not shown. */
export async function watchRelease(
  ctx: RunContext,
  input: ReleaseInput,
  { signal, onHopeless }: Watching,
): Promise<void> {
  const { clock, helm } = ctx.services;
  const read = () => helm.release(refOf(input), signal).catch(() => undefined);
  let shown = '';
  let release: HelmRelease | undefined;
  let since: number | undefined;
  for (let turn = 0; !signal.aborted; turn++) {
    await clock.sleep(pause, signal);
    if (signal.aborted) return;
    if (turn % turns === 0) release = (await read()) ?? release;
    const sights = release === undefined ? [] : await lookAt(ctx, release).catch(() => []);
    if (signal.aborted || release === undefined) continue;
    const text = sayProgress(release, sights);
    if (text !== shown) ctx.progress({ text });
    shown = text;
    since = sights.some(isHopeless) ? (since ?? clock.monotonic()) : undefined;
    if (onHopeless === undefined || since === undefined || clock.monotonic() - since < patience) continue;
    const newest = await read();
    if (newest?.status === 'pending-upgrade' && newest.hooks.every(isBefore)) onHopeless();
  }
}

/** A hook that has done its work before the pods are replaced, or has not begun. */
function isBefore({ events, phase }: HelmHook): boolean {
  return phase === '' || (phase === 'Succeeded' && !events.includes('post-upgrade'));
}

interface Sight {
  readonly name: string;
  readonly verdict: RolloutVerdict;
}

async function lookAt(ctx: RunContext, release: HelmRelease): Promise<readonly Sight[]> {
  const sights: Sight[] = [];
  for (const workload of workloadsOf(release)) {
    const live = await readWorkload(ctx, workload);
    sights.push({ name: workload.name, verdict: await rolloutNow(ctx, workload, live, goalOf(live)) });
  }
  return sights;
}

function isHopeless({ verdict }: Sight): boolean {
  return verdict.state === 'failed' && beyondHope.has(verdict.code);
}

function sayProgress(release: HelmRelease, sights: readonly Sight[]): string {
  const open = sights.flatMap(({ name, verdict }) =>
    verdict.state === 'complete' ? [] : [`${name}: ${verdict.text}`],
  );
  const running = release.hooks.filter(({ phase }) => phase === 'Running').map(({ name }) => `${name} runs`);
  return [`revision ${release.revision} is ${release.status}`, ...open, ...running].join('; ');
}

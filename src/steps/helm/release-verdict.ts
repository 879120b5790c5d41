import type { HelmRevision } from '../../services/helm.ts';
import type { Clients } from './client-record.ts';
import { isPending, newestOf, originOf, sayRevision } from './revisions.ts';

/** What an operation started from; journaled before it. */
export interface Base {
  /** The newest revision, whatever became of it. */
  readonly newest: number;
  /** The one to go back to: deployed at that time; 0 when there was none. */
  readonly deployed: number;
}

export interface Sight {
  readonly history: readonly HelmRevision[];
  readonly clients: Clients;
  /** The newest revision carries our operation's key. */
  readonly marked: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Verdict {
  readonly state: 'applied' | 'not-applied' | 'in-progress' | 'conflict' | 'unknown';
  readonly evidence: string;
  readonly stuck?: boolean;
  /** With `applied`. */
  readonly revision?: number;
}

/** No client of Helm works longer than this on one revision. */
const longestClient = 60 * 60_000;

/** How an upgrade stands, from the release alone. */
export function judgeUpgrade(base: Base, operation: string, sight: Sight): Verdict {
  const newest = newestOf(sight.history);
  const early = judgeBase(base, sight);
  if (early !== undefined) return early;
  const mine = (entry: HelmRevision) => entry.description === `runbook ${operation}`;
  // A label is inherited by later upgrades, so it says nothing beyond the revisions that our clients can have made.
  const ours = mine(newest) || (sight.marked && newest.revision <= base.newest + sight.clients.started);
  if (ours) {
    if (newest.status === 'deployed')
      return {
        state: 'applied',
        evidence: `${sayRevision(newest)} carries the key of this step`,
        revision: newest.revision,
      };
    return unfinished(newest, sight);
  }
  if (isOurWayBack(base, sight)) return halfBack(newest, sight);
  const own = sight.history.find((entry) => entry.revision > base.newest && mine(entry));
  return {
    state: 'conflict',
    evidence:
      own === undefined
        ? `somebody else made ${sayRevision(newest)} since revision ${base.newest}`
        : `revision ${own.revision} was this step's, and then somebody made ${sayRevision(newest)}`,
  };
}

/** How a rollback to the origin `to` stands. Helm gives it no key: the description is all there is. */
export function judgeRollback(base: Base & { readonly to: number }, sight: Sight): Verdict {
  const newest = newestOf(sight.history);
  const wanted = newest.status === 'deployed' && originOf(sight.history, newest.revision) === base.to;
  if (wanted)
    return {
      state: 'applied',
      evidence: `${sayRevision(newest)} has chart and values of revision ${base.to}`,
      revision: newest.revision,
    };
  const early = judgeBase(base, sight);
  if (early !== undefined) return early;
  const done = sight.history.some(
    (entry) =>
      entry.revision > base.newest &&
      (entry.status === 'superseded' || entry.status === 'deployed') &&
      originOf(sight.history, entry.revision) === base.to,
  );
  if (isOurRollback(base, sight)) return done ? halfBack(newest, sight) : unfinished(newest, sight);
  return {
    state: 'conflict',
    evidence: `somebody else made ${sayRevision(newest)} since revision ${base.newest}`,
  };
}

/** A rollback that a client of this step can have begun, and that did not come to a good end. */
function isOurRollback(base: Base, { history, clients }: Sight): boolean {
  const newest = newestOf(history);
  const begun = newest.status === 'pending-rollback' || /^(?:Rollback|Release) "/.test(newest.description);
  return begun && clients.started > 0 && newest.revision <= base.newest + clients.started;
}

/** After an upgrade of this step, only its undo rolls back. */
function isOurWayBack(base: Base, sight: Sight): boolean {
  return sight.clients.started > 1 && isOurRollback(base, sight);
}

/** Taking back has begun and not ended: the change is still there in part. */
function halfBack(newest: HelmRevision, { clients }: Sight): Verdict {
  const what = `revision ${newest.revision} is ${newest.status}`;
  if (isPending(newest) && clients.last === 'alive')
    return { state: 'in-progress', evidence: `${what}: it is being taken back` };
  return { state: 'applied', evidence: `${what}: it was not taken back`, revision: newest.revision };
}

/** What can be said without knowing whose the newest revision is. */
function judgeBase(base: Base, { history }: Sight): Verdict | undefined {
  const newest = newestOf(history);
  if (newest.revision < base.newest)
    return {
      state: 'conflict',
      evidence: `the newest revision is ${newest.revision}, and was ${base.newest}: the release was installed anew`,
    };
  if (newest.revision === base.newest)
    return { state: 'not-applied', evidence: `${sayRevision(newest)} is still the newest` };
  if (
    newest.status === 'deployed' &&
    base.deployed > 0 &&
    originOf(history, newest.revision) === originOf(history, base.deployed)
  )
    return {
      state: 'not-applied',
      evidence: `${sayRevision(newest)} has chart and values of revision ${base.deployed} again`,
    };
  return undefined;
}

/** A revision of ours that is not deployed. */
function unfinished(newest: HelmRevision, { clients, now }: Sight): Verdict {
  if (!isPending(newest))
    return {
      state: 'in-progress',
      stuck: true,
      evidence: `revision ${newest.revision} is ${newest.status}: ${newest.description}`,
    };
  const what = `revision ${newest.revision} is ${newest.status} since ${newest.updated}`;
  if (clients.last === 'alive') return { state: 'in-progress', evidence: `${what}, and its client works` };
  const old = now - Date.parse(newest.updated) > longestClient;
  if (clients.last === 'ended' || old)
    return {
      state: 'in-progress',
      stuck: true,
      evidence: `${what}, and its client ${clients.last === 'ended' ? 'has ended' : 'cannot live that long'}: it stays so until it is rolled back`,
    };
  return {
    state: 'unknown',
    evidence: `${what}; whether its client still works cannot be told from this machine`,
  };
}

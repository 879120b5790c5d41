import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { Census, CensusAnomaly } from '../../keys/nek-census.ts';
import type { RewrapPlan } from '../../keys/nek-rewrap.ts';
import type { NekReadSession, NekStoreHealth } from '../../services/nek-store.ts';
import { onStore } from '../mek/session.ts';
import { describeAnomaly } from './count.ts';

const named = 20;

/** Random 96-bit IVs: beyond 2^32 uses of a key a repetition is likely enough to matter (NIST SP 800-38D §8.3). */
const mostWraps = 2 ** 31;
const manyWraps = 2 ** 28;

/** What must hold before anything is written to Cassandra. */
export async function requireHealthy(
  ctx: ReadContext,
  session: NekReadSession,
  options: { readonly allowSingleCopy?: boolean | undefined },
): Promise<void> {
  const problem = await healthProblem(ctx, session, options);
  if (problem !== undefined) throw problem;
}

/** What speaks against writing namespace keys to Cassandra as it is now. */
export async function healthProblem(
  ctx: ReadContext,
  session: NekReadSession,
  options: { readonly allowSingleCopy?: boolean | undefined } = {},
): Promise<StepError | undefined> {
  const health = await onStore('ask Cassandra for its health', () => session.health(ctx.signal));
  return judge(health, options.allowSingleCopy === true);
}

function judge(health: NekStoreHealth, allowSingleCopy: boolean): StepError | undefined {
  const nodes = health.nodes.map(({ pod, up }) => `${pod}: ${up ? 'up' : 'does not answer'}`);
  if (!health.quorum)
    return refusal('cassandra-no-quorum', 'Cassandra has not enough nodes up for LOCAL_QUORUM.', {
      details: nodes,
      hint: 'Bring the missing nodes up first (nodetool status).',
      retryable: true,
    });
  if (health.schemaProblems.length > 0 || !health.schemaAgreed)
    return refusal(
      'cassandra-schema',
      'The table of namespace keys is not as ESS creates it on every node.',
      {
        details: [
          ...health.schemaProblems,
          ...(health.schemaAgreed
            ? []
            : health.nodes.map(
                ({ pod, schemaVersion }) => `${pod}: schema version ${schemaVersion || 'unknown'}`,
              )),
        ],
        hint: 'Let the migrations run to their end, and the nodes agree (nodetool describecluster).',
      },
    );
  if (!health.durableWrites)
    return refusal('cassandra-not-durable', 'The keyspace is created with durable_writes = false.', {
      hint: 'A power cut would lose new keys. ALTER KEYSPACE … WITH durable_writes = true.',
    });
  if (health.replicationFactor < 2 && !allowSingleCopy)
    return refusal(
      'cassandra-single-copy',
      `Cassandra keeps ${health.replicationFactor} copy of each row in this datacenter.`,
      { hint: 'Raise the replication factor, or say allowSingleCopy: true when that is how it is meant.' },
    );
  return undefined;
}

/** Anything that looks wrong stops before the first write: nothing is skipped, nothing is fixed. */
export function requireNoAnomalies({ anomalies, anomalyCount }: Census): void {
  if (anomalyCount > 0) throw anomaliesFound(anomalies, anomalyCount, 'not-applied');
}

/** What a census or a plan found wrong. */
export type Anomaly = Omit<CensusAnomaly, 'reason'> & {
  readonly reason: CensusAnomaly['reason'] | Extract<RewrapPlan, { action: 'anomaly' }>['reason'];
};

export function anomaliesFound(
  anomalies: readonly Anomaly[],
  count: number,
  outcome: 'not-applied' | 'unknown',
): StepError {
  const more = count > named ? [`and ${count - named} more`] : [];
  return new StepError(
    'nek-anomalies',
    `${count} ${count === 1 ? 'row or key looks' : 'rows or keys look'} wrong: nothing more is written.`,
    {
      outcome,
      details: [...anomalies.slice(0, named).map(describeAnomaly), ...more],
      hint: 'See them all with nek.census. Keep every master key; find out what wrote them before anything is changed.',
    },
  );
}

/** Wraps that a master key has seen, as far as rows tell: what a plan should say about it, or a refusal. */
export function wrapBudget(kid: string, wraps: number): readonly string[] {
  if (wraps > mostWraps)
    throw refusal('gcm-budget', `The master key ${kid} would have wrapped ${wraps} times, more than 2^31.`, {
      hint: 'Publish and activate a new master key first.',
    });
  if (wraps <= manyWraps) return [];
  return [`the master key ${kid} will have wrapped ${wraps} times: rotate it before 2^31`];
}

function refusal(
  code: string,
  message: string,
  options: { readonly details?: readonly string[]; readonly hint: string; readonly retryable?: boolean },
): StepError {
  return new StepError(code, message, { outcome: 'not-applied', ...options });
}

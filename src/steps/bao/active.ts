import { Secret } from '../../engine/secret.ts';
import type { Observation, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { OpenBaoPod } from '../../services/openbao.ts';
import type { Asked, BaoTarget } from './nodes.ts';
import { activeOf, askEvery } from './nodes.ts';

/** A token as a step's input has it. */
export function tokenOf(value: unknown): Secret {
  return value instanceof Secret ? value : Secret.fromText('token', String(value));
}

/** The active, unsealed pod: the only one that is written to. Refuses when there is none. */
export async function requireActive(ctx: ReadContext, target: BaoTarget): Promise<OpenBaoPod> {
  const asked = await askEvery(ctx, target);
  const active = activeOf(asked);
  if (active !== undefined) return active.pod;
  const details = asked.map(told);
  if (asked.every(({ node }) => node?.sealed === true))
    throw new StepError('openbao-sealed', `Every OpenBao pod in ${target.namespace} is sealed.`, {
      outcome: 'not-applied',
      retryable: true,
      details,
      hint: 'The auto-unseal sidecar tries every 70 s; see its log, and the Secret with the unseal key.',
    });
  throw new StepError('no-active-pod', `No OpenBao pod in ${target.namespace} is active.`, {
    outcome: 'not-applied',
    retryable: true,
    details,
    hint: 'Check that a majority of the pods is unsealed (bao.status).',
  });
}

/**
 * Looks through the active pod. While an election goes on the effect is in progress: a write that was sent may still come through.
 * Whatever cannot be asked leaves it unknown.
 */
export async function observeActive(
  ctx: ReadContext,
  target: BaoTarget,
  look: (pod: OpenBaoPod) => Promise<Observation>,
): Promise<Observation> {
  try {
    const asked = await askEvery(ctx, target);
    const active = activeOf(asked);
    if (active !== undefined) return await look(active.pod);
    const electing = asked.every(({ node }) => node !== undefined && !node.sealed);
    const evidence = `no OpenBao pod is active: ${asked.map(told).join(', ')}`;
    return { state: electing ? 'in-progress' : 'unknown', evidence };
  } catch (error) {
    if (!(error instanceof StepError) || error.retryable) throw error;
    return { state: 'unknown', evidence: error.message };
  }
}

function told({ pod, node, error }: Asked): string {
  return `${pod.pod}: ${node === undefined ? error : node.sealed ? 'sealed' : 'standby'}`;
}

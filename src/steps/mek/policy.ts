import { StepError } from '../../engine/step-type.ts';
import type { PolicyNeed } from './target.ts';

/** The policy that is missing, as it would be written. */
export function missingPolicy(needs: readonly PolicyNeed[], cause?: unknown): StepError {
  const places = needs.map(({ path, capabilities }) => `${capabilities.join(', ')} on ${path}`);
  return new StepError('policy-missing', `The OpenBao token lacks ${places.join('; ')}.`, {
    outcome: 'not-applied',
    details: needs.flatMap(hcl),
    hint: 'Add this to a policy of the token (bao policy write); `runbook plan --access` prints the whole policy.',
    cause,
  });
}

function hcl({ path, capabilities }: PolicyNeed): readonly string[] {
  const list = capabilities.map((capability) => JSON.stringify(capability));
  return [`path ${JSON.stringify(path)} {`, `  capabilities = [${list.join(', ')}]`, '}'];
}

import type { ReadStepType } from '../../engine/step-type.ts';
import type { NotaryKeyCheckOutputs, NotaryKeyCheckWith } from '../../generated/types.ts';
import { judgeEcJwk, jwksIn } from '../../keys/ec-jwk.ts';
import { requireActive } from '../bao/active.ts';
import {
  kvAccess,
  kvName,
  kvProblems,
  kvResources,
  readSecret,
  requireVersioned,
  withFields,
} from '../bao/kv.ts';

type Key = NotaryKeyCheckOutputs['keys'][number];

const place = { mount: 'services/nvcf-notary/kv', path: 'keys/signing-key' };

const targetOf = (input: NotaryKeyCheckWith) => ({ ...place, ...input });

export const keyCheck: ReadStepType<NotaryKeyCheckWith, NotaryKeyCheckOutputs> = {
  type: 'notary.key-check',
  effect: 'read',
  timeout: 60_000,
  describe: (input) => `check the signing keys at ${kvName(targetOf(input))} in OpenBao`,
  resources: (input) => kvResources(targetOf(input), 'read'),
  access: (input) => kvAccess(targetOf(input), { data: ['read'] }),
  check: (input) => kvProblems(targetOf(input)),

  async run(input, ctx) {
    const target = targetOf(input);
    const pod = await requireActive(ctx, target);
    await requireVersioned(ctx, pod, target);
    const read = await readSecret(ctx, pod, target);
    if (read.state !== 'found') return verdict({ state: read.reason, version: read.version ?? 0, keys: [] });
    const keys = withFields(read.data, (fields) =>
      Object.entries(fields).flatMap(([field, value]) =>
        (typeof value === 'string' ? (jwksIn(value) ?? []) : []).map(
          (jwk): Key => ({ field, ...judgeEcJwk(jwk) }),
        ),
      ),
    );
    return verdict({ state: 'found', version: read.version, keys });
  },

  findings: ({ problems }) => ({
    details: problems,
    hint: 'A key that is not whole has to be made anew: delete the secret and let the migrations of OpenBao make another one (every token that was signed with it ends), or write a whole one with check-and-set; then restart the Notary Service.',
  }),
};

function verdict(seen: {
  readonly state: NotaryKeyCheckOutputs['state'];
  readonly version: number;
  readonly keys: Key[];
}): NotaryKeyCheckOutputs {
  const { state, keys } = seen;
  const problems =
    state === 'found'
      ? keys.length === 0
        ? ['no field holds a JWK or a set of them']
        : keys.flatMap(({ field, kid, problem }) =>
            problem === '' ? [] : [`key ${kid === '' ? '(without kid)' : kid} in field ${field}: ${problem}`],
          )
      : [`the secret is ${state}`];
  return {
    ...seen,
    ok: problems.length === 0,
    problems,
    summary:
      problems.length === 0
        ? `${keys.length} signing ${keys.length === 1 ? 'key is' : 'keys are'} whole`
        : problems.join('; '),
  };
}

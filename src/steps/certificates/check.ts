import { type ReadContext, type ReadStepType, StepError } from '../../engine/step-type.ts';
import type { CertificatesCheckOutputs, CertificatesCheckWith } from '../../generated/types.ts';
import { kinds } from '../../services/kubernetes.ts';
import { call, requireNamespace } from '../kubectl/errors.ts';
import { textAt } from '../kubectl/fields.ts';
import { access, objectPath, reads, requireTarget, targetProblems } from '../kubectl/target.ts';
import { judge } from './chain.ts';

type Certificate = CertificatesCheckOutputs['certificates'][number];

/** The public half of a Secret. */
interface Public {
  readonly namespace: string;
  readonly secret: string;
  readonly chain: string;
}

const type = 'kubernetes.io/tls';

export const check: ReadStepType<CertificatesCheckWith, CertificatesCheckOutputs> = {
  type: 'certificates.check',
  effect: 'read',
  timeout: 60_000,
  describe: (input) =>
    `TLS certificates in ${input.namespaces.join(', ')} are valid for ${input.minDays ?? 30} more days`,
  resources: (input) => reads(...input.namespaces.map((namespace) => objectPath(namespace, 'secrets'))),
  access: (input) =>
    input.namespaces.flatMap((namespace) => [
      ...access(['list'], 'secrets', { namespace }),
      ...access(['get'], 'namespaces', { name: namespace }),
    ]),
  check: (input) =>
    input.namespaces.flatMap((namespace) => targetProblems({ namespace, selector: input.selector })),

  async run(input, ctx) {
    const found = await Promise.all(input.namespaces.map((namespace) => publicParts(ctx, input, namespace)));
    const now = ctx.services.clock.now();
    const certificates: Certificate[] = found.flat().map(({ namespace, secret, chain }) => ({
      namespace,
      secret,
      ...judge(chain, { now, minDays: input.minDays ?? 30 }),
    }));
    if (certificates.length === 0 && input.allowNone !== true)
      throw new StepError(
        'no-match',
        `There is no Secret of type ${type}${input.selector === undefined ? '' : ` that matches '${input.selector}'`} in ${input.namespaces.join(', ')}.`,
        {
          outcome: 'not-applied',
          hint: 'Name the namespaces that have certificates, or set allowNone: true.',
        },
      );
    const bad = certificates.filter(({ state }) => state !== 'valid');
    const known = certificates.filter(({ state }) => state !== 'malformed').map(({ days }) => days);
    return {
      certificates,
      count: certificates.length,
      ok: bad.length === 0,
      problems: bad.map(({ namespace, secret, problem }) => `${namespace}/${secret}: ${problem}`),
      soonest: known.length === 0 ? 0 : Math.min(...known),
      summary: `${certificates.length - bad.length} of ${certificates.length} certificates are valid for ${input.minDays ?? 30} more days`,
    };
  },

  findings: ({ problems }) => ({
    details: problems,
    hint: 'What cert-manager issues it renews by itself: look at the Certificate there. Whether a service takes a new pair without a restart depends on the service.',
  }),
};

/** The API gives Secrets only whole, so the private keys come along: they are let go of here, unread. */
async function publicParts(
  ctx: ReadContext,
  input: CertificatesCheckWith,
  namespace: string,
): Promise<readonly Public[]> {
  const { selector } = input;
  requireTarget({ namespace, selector });
  const secrets = await call({ verb: 'list', what: `Secrets in ${namespace}` }, () =>
    ctx.services.kubernetes.list(kinds.secrets, {
      namespace,
      fieldSelector: `type=${type}`,
      ...(selector === undefined ? {} : { labelSelector: selector }),
    }),
  );
  if (secrets.length === 0) await requireNamespace(ctx.services.kubernetes, namespace);
  return secrets
    .map(({ metadata, data }) => ({
      namespace,
      secret: metadata.name,
      chain: Buffer.from(textAt(data, 'tls.crt'), 'base64').toString('utf8'),
    }))
    .sort((a, b) => (a.secret < b.secret ? -1 : 1));
}

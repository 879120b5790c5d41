import { type ReadContext, type ReadStepType, StepError } from '../../engine/step-type.ts';
import type { RegistryCredentialsOutputs, RegistryCredentialsWith } from '../../generated/types.ts';
import { kinds } from '../../services/kubernetes.ts';
import { call, requireNamespace } from '../kubectl/errors.ts';
import { entriesAt, textAt } from '../kubectl/fields.ts';
import { access, objectPath, reads, targetProblems } from '../kubectl/target.ts';
import { judgeCredential, judgePullSecret } from './credential.ts';

type Credential = RegistryCredentialsOutputs['credentials'][number];

const pullSecret = 'kubernetes.io/dockerconfigjson';

export const credentials: ReadStepType<RegistryCredentialsWith, RegistryCredentialsOutputs> = {
  type: 'registry.credentials',
  effect: 'read',
  timeout: 60_000,
  describe: (input) =>
    `check the form of the registry credentials in Secret ${input.namespace}/${input.secret}`,
  resources: (input) => reads(objectPath(input.namespace, 'secrets', input.secret)),
  access: (input) => [
    ...access(['get'], 'secrets', { namespace: input.namespace, name: input.secret }),
    ...access(['get'], 'namespaces', { name: input.namespace }),
  ],
  check: (input) => targetProblems({ namespace: input.namespace, name: input.secret }),

  async run(input, ctx) {
    const found = await judged(ctx, input);
    const bad = found.filter(({ problem }) => problem !== '');
    return {
      credentials: found,
      count: found.length,
      ok: bad.length === 0,
      problems: bad.map(({ name, problem }) => `${name}: ${problem}`),
      summary: `${found.length - bad.length} of ${found.length} credentials have the form user:password`,
    };
  },

  findings: ({ problems }) => ({
    details: problems,
    hint: "A credential is base64 of user:password; for NGC the user is '$oauthtoken': printf '%s' '$oauthtoken:<key>' | base64 -w0. Whether the registry takes it is another question.",
  }),
};

/** What each credential is like; the values themselves are let go of here. */
async function judged(ctx: ReadContext, input: RegistryCredentialsWith): Promise<Credential[]> {
  const { namespace, secret: name, key } = input;
  const secret = await call({ verb: 'get', what: `Secret ${namespace}/${name}` }, () =>
    ctx.services.kubernetes.get({ kind: kinds.secrets, namespace, name }),
  );
  if (secret === undefined) {
    await requireNamespace(ctx.services.kubernetes, namespace);
    throw new StepError('not-found', `There is no Secret ${namespace}/${name}.`, { outcome: 'not-applied' });
  }
  if (key !== undefined) {
    const value = textAt(secret.data, key);
    if (value === '')
      throw new StepError('key-missing', `Secret ${namespace}/${name} has no key '${key}', or it is empty.`, {
        outcome: 'not-applied',
        hint: `Its keys: ${entriesAt(secret.data)
          .map(([each]) => each)
          .sort()
          .join(', ')}.`,
      });
    return [{ name: key, problem: judgeCredential(decoded(value)) }];
  }
  if (textAt(secret, 'type') !== pullSecret)
    throw new StepError(
      'key-needed',
      `Secret ${namespace}/${name} is not of type ${pullSecret}, so the key with the credential has to be named.`,
      { outcome: 'not-applied' },
    );
  return judgePullSecret(decoded(textAt(secret.data, '.dockerconfigjson')));
}

function decoded(value: string): string {
  return Buffer.from(value, 'base64').toString('utf8');
}

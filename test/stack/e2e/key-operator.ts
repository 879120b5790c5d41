import { readFileSync } from 'node:fs';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { onTestFinished } from 'vitest';
import { type Canary, secretText } from '../../cli/canaries.ts';
import { filesIn } from './planted.ts';
import { createOperator, type Finished, type Operator } from './rig.ts';

/** What operators printed and left in their folders. */
export interface Traces {
  readonly said: Buffer[];
}

export interface KeyOperator extends Operator {
  readonly identity: string;
  /** The inputs that a runbook needs which makes backups. */
  readonly backup: readonly string[];
  readonly secrets: readonly Canary[];
}

/** An operator with a token for OpenBao and an age identity in the environment; all that they leave goes to `traces`. */
export async function createKeyOperator(
  access: { readonly kubeconfig: string; readonly token: string },
  traces: Traces,
): Promise<KeyOperator> {
  const operator = createOperator(access.kubeconfig);
  const identity = await generateIdentity();
  const given = { BAO_TOKEN: access.token, RUNBOOK_SECRET_AGE_IDENTITY: identity };
  // Before the folder goes.
  onTestFinished(() => {
    traces.said.push(...filesIn(operator.folder).map((file) => readFileSync(file)));
  });
  const keep = (finished: Finished) => {
    traces.said.push(Buffer.from(`${finished.stdout}\n${finished.stderr}`));
    return finished;
  };
  const start: Operator['start'] = (args, env = {}) => {
    const running = operator.start(args, { ...given, ...env });
    // A test that failed waits no longer, and the next one wants the locks.
    onTestFinished(() => running.signal('SIGKILL'));
    return { ...running, finished: running.finished.then(keep) };
  };
  return {
    ...operator,
    start,
    run: (args, env) => start(args, env).finished,
    identity,
    backup: ['--input', `ageRecipients=${await identityToRecipient(identity)}`],
    secrets: [
      secretText('the token', access.token),
      // The start of every identity is in help texts.
      secretText('the age identity', identity.replace('AGE-SECRET-KEY-', '')),
    ],
  };
}

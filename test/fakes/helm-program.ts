import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { HelmError, type HelmTarget, type HelmWriter } from '../../src/services/helm.ts';
import { createHelm } from '../../src/services/helm-cli.ts';
import type { Command, CommandResult, ProcessRunner } from '../../src/services/process.ts';
import { FakePrograms } from './fake-program.ts';

export interface HelmRunSeen {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Files that the call names, as they were then: path, mode, content. */
  readonly files: readonly { readonly path: string; readonly mode: number; readonly content: string }[];
}

/** A `helm` that answers by its first words ('status', 'get metadata'), and notes how it was called. */
export class FakeHelmProgram extends FakePrograms {
  readonly seen: HelmRunSeen[] = [];

  constructor(
    answers: Readonly<
      Record<string, Partial<CommandResult> | ((command: Command) => Partial<CommandResult>)>
    >,
  ) {
    super((command) => {
      this.#note(command);
      const { args } = command;
      const answer = answers[`${args[0]} ${args[1]}`] ?? answers[args[0] ?? ''];
      if (answer !== undefined) return typeof answer === 'function' ? answer(command) : answer;
      if (args[0] === 'version') return { stdout: 'v3.19.5+g1234567\n' };
      return { exitCode: 1, stderr: `Error: this test gives no answer for ${args[0]}\n` };
    });
  }

  get last(): HelmRunSeen {
    const last = this.seen.at(-1);
    if (last === undefined) throw new Error('helm was not called');
    return last;
  }

  #note({ args, env = {} }: Command): void {
    const names = [env.KUBECONFIG, args[args.indexOf('--values') + 1]].filter(
      (name) => name !== undefined && path.isAbsolute(name),
    ) as string[];
    const files = names.map((name) => ({
      path: name,
      mode: statSync(name).mode & 0o777,
      content: readFileSync(name, 'utf8'),
    }));
    this.seen.push({ args, env, files });
  }
}

/** What `helm pull` does: leaves an archive and prints a digest. */
export function pulled(digest: string): (command: Command) => Partial<CommandResult> {
  return ({ args }) => {
    writeFileSync(path.join(args[args.indexOf('--destination') + 1] ?? '', 'chart-1.0.0.tgz'), 'archive');
    return { stderr: `Pulled: registry.test/charts/web:1.0.1\nDigest: ${digest}\n` };
  };
}

export const deployment = `---
# Source: web/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
`;

const hook = {
  name: 'web-migrate',
  kind: 'Job',
  path: 'web/templates/job.yaml',
  manifest: 'apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: web-migrate\n',
  events: ['post-upgrade'],
  last_run: { started_at: '2026-11-24T14:59:03Z', completed_at: '2026-11-24T14:59:06Z', phase: 'Failed' },
  weight: 1,
};

export const status = {
  name: 'web',
  info: {
    first_deployed: '2026-11-24T14:58:35.329038674Z',
    last_deployed: '2026-11-24T14:59:01.292482199Z',
    deleted: '',
    description: 'Upgrade complete',
    status: 'deployed',
  },
  config: { password: 'hunter2-canary', replicas: 2 },
  manifest: deployment,
  hooks: [hook],
  version: 2,
  namespace: 'helm-test',
};

export const metadata = {
  name: 'web',
  chart: 'web',
  version: '1.0.1',
  appVersion: '1.0',
  namespace: 'helm-test',
  revision: 2,
  status: 'deployed',
  deployedAt: '2026-11-24T14:59:01Z',
};

/** As an upgrade prints it: the release with its chart. */
export const upgraded = {
  ...status,
  version: 3,
  chart: { metadata: { name: 'web', version: '1.0.1', apiVersion: 'v2', appVersion: '1.0' } },
};

/** The real adapter over a fake program; its private folders are made below `folder`. */
export function helmOver(
  process: ProcessRunner,
  folder: string,
  environment: Readonly<Record<string, string>> = {},
): HelmWriter {
  return createHelm({
    process,
    context: async () => ({
      context: 'prod',
      server: 'https://api.test:6443',
      serverName: undefined,
      proxyUrl: undefined,
      ca: Buffer.from('the ca'),
      cert: undefined,
      key: undefined,
      user: { name: 'me', token: 'token-canary' },
    }),
    environment,
    workspace: { pid: 4242, kill: () => false, now: () => 0, folder },
  });
}

export const at = { namespace: 'helm-test', release: 'web' };
export const never = new AbortController().signal;
export const digest = `sha256:${'a'.repeat(64)}`;
export const target: HelmTarget = {
  ...at,
  chart: 'oci://registry.test/charts/web',
  version: '1.0.1',
  values: 'reuse',
};
export const run = { signal: never, onStart: async () => undefined, timeout: 300_000 };

export function json(value: unknown): Partial<CommandResult> {
  return { stdout: `${JSON.stringify(value)}\n` };
}

/** Answers for a chart that can be fetched. */
export const fetched = {
  pull: pulled(digest),
  'show chart': { stdout: 'apiVersion: v2\nname: web\nversion: 1.0.1\nappVersion: "1.0"\n' },
};

/** The failure of a call; one of another kind, or none, fails the test. */
export async function failureOf(call: Promise<unknown>): Promise<HelmError> {
  const failure = await call.then(
    () => new Error('it did not fail'),
    (cause: unknown) => cause,
  );
  if (failure instanceof HelmError) return failure;
  throw failure;
}

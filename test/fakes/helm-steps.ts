import { type RunContext, StepError } from '../../src/engine/step-type.ts';
import type { HelmWriter } from '../../src/services/helm.ts';
import { MemoryFiles } from './memory-files.ts';
import { type SandboxRig, sandboxRig } from './sandbox-context.ts';

/** Names of the simulated chart that the tests of Helm's steps work on. */
export const invocation = {
  namespace: 'nvcf',
  release: 'invocation-service',
  chart: 'oci://registry.sandbox/nvcf/helm-nvcf-invocation-service',
} as const;
export const versions = {
  installed: '1.5.6',
  good: '1.5.7',
  unready: '1.5.8',
  brokenHook: '1.5.9',
  minor: '1.6.0',
};

export interface HelmRig extends SandboxRig {
  readonly files: MemoryFiles;
  readonly helm: HelmWriter;
  /** The same world for another step instance, or for one that may do less. */
  context(more?: Partial<RunContext>): RunContext;
}

/** The simulated control plane, with files in memory. */
export async function helmRig(): Promise<HelmRig> {
  const rig = await sandboxRig();
  const files = new MemoryFiles();
  const services = { ...rig.ctx.services, files };
  const ctx = { ...rig.ctx, services };
  return { ...rig, ctx, files, helm: services.helm, context: (more = {}) => ({ ...ctx, ...more }) };
}

/** What somebody else does, by hand. */
export function byHand(rig: HelmRig, version: string) {
  const run = { signal: new AbortController().signal, onStart: async () => undefined, timeout: 300_000 };
  const target = { ...invocation, version, values: 'reuse' as const, operation: 'by-hand' };
  return rig.helm.upgrade(target, run);
}

/** Revisions of the release as '2 deployed', oldest first. */
export async function statuses(rig: HelmRig): Promise<readonly string[]> {
  const history = await rig.helm.history(invocation, rig.ctx.signal);
  return history.map(({ revision, status }) => `${revision} ${status}`);
}

/** The failure of a step; one of another kind, or none, fails the test. */
export async function failureOf(call: Promise<unknown>): Promise<StepError> {
  const failure = await call.then(
    () => new Error('it did not fail'),
    (cause: unknown) => cause,
  );
  if (failure instanceof StepError) return failure;
  throw failure;
}

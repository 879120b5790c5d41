import { expect } from 'vitest';
import { type FakeCluster, failure } from './steps-kubernetes.ts';

/** Proves that a step tells of a list of pods that is refused, and of one without an answer, in the words of every other step. */
export async function expectTold(
  cluster: FakeCluster,
  namespace: string,
  step: () => Promise<unknown>,
): Promise<void> {
  const refused = (status: number | undefined) => {
    cluster.hooks = {
      before: () => {
        throw failure(status, 'Refused', 'no');
      },
    };
    return step().catch((error: unknown) => error);
  };
  expect(await refused(403)).toMatchObject({
    code: 'forbidden',
    message: expect.stringMatching(new RegExp(`^Not allowed to list pods in ${namespace}: `)),
    hint: expect.stringContaining('plan --access'),
  });
  expect(await refused(undefined)).toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining(`The API server did not answer (could not list pods in ${namespace}): `),
    hint: expect.stringContaining('runbook resume'),
  });
}

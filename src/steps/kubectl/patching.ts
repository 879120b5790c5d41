import type { RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubernetesObject, ObjectRef, PatchOptions } from '../../services/kubernetes.ts';
import { KubernetesError } from '../../services/kubernetes.ts';
import { call, describeRef, mustGet } from './errors.ts';
import type { FieldPath } from './touched.ts';
import { pick } from './touched.ts';

const attempts = 4;

/**
 * Reads an object, asks what to patch, and patches exactly what was read: when the object moved in between it is read
 * again, and given up when it is another object or somebody changed a field that we touch. `change` answers undefined
 * when nothing is to be done.
 */
export async function patchRead(
  ctx: RunContext,
  ref: ObjectRef,
  options: {
    readonly touched: readonly FieldPath[];
    change(object: KubernetesObject): Omit<PatchOptions, 'resourceVersion'> | undefined;
  },
): Promise<KubernetesObject> {
  const { kubernetes } = ctx.services;
  const first = await mustGet(kubernetes, ref);
  let object = first;
  for (let attempt = 1; ; attempt++) {
    const patch = options.change(object);
    if (patch === undefined) return object;
    try {
      const { resourceVersion } = object.metadata;
      return await kubernetes.patch(ref, { ...patch, resourceVersion });
    } catch (error) {
      const moved = error instanceof KubernetesError && error.status === 409;
      if (!moved || attempt === attempts)
        return await call({ verb: 'patch', what: describeRef(ref) }, () => Promise.reject(error));
      object = await mustGet(kubernetes, ref);
      requireUnmoved(ref, first, object, options.touched);
    }
  }
}

function requireUnmoved(
  ref: ObjectRef,
  first: KubernetesObject,
  now: KubernetesObject,
  touched: readonly FieldPath[],
): void {
  const same = JSON.stringify(pick(first, touched)) === JSON.stringify(pick(now, touched));
  if (same && first.metadata.uid === now.metadata.uid) return;
  throw new StepError('conflict', `Somebody else changed ${describeRef(ref)} at the same moment.`, {
    outcome: 'not-applied',
    hint: 'Look at what it is now and who changed it, then run again.',
  });
}

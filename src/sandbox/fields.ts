import type { JsonObject } from '../engine/json.ts';
import { kubernetesFields } from './fields-kubernetes.ts';
import { storeFields } from './fields-stores.ts';
import type { World } from './world.ts';

/**
 * Everything that a simulated control plane holds, by what it is about: 'Deployment nvcf/nvcf-api' → the object. What may be secret
 * (fields of Secrets and of OpenBao, Helm values, wrapped keys) is a digest: two of them can be compared, and nothing be read.
 */
export type WorldFields = Readonly<Record<string, JsonObject>>;

export function worldFields(world: World): WorldFields {
  return { ...kubernetesFields(world), ...storeFields(world) };
}

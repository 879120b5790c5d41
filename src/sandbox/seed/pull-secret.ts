import { kinds } from '../../services/kubernetes.ts';
import { derivedHex } from '../crypto/derive.ts';
import { timestamp } from '../objects.ts';
import type { World } from '../world.ts';

/** The Secret that pods of the control plane pull their images with; what it holds opens nothing. */
export function seedPullSecret(world: World): void {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const id = derivedHex(world.seed, 32, 'pull secret');
  const auth = base64(`$oauthtoken:${derivedHex(world.seed, 40, 'registry key')}`);
  world.store.put(kinds.secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/dockerconfigjson',
    metadata: {
      name: 'nvcr-pull-secret',
      namespace: 'nvcf',
      uid: `${id.slice(0, 8)}-${id.slice(8, 12)}-4${id.slice(13, 16)}-8${id.slice(17, 20)}-${id.slice(20)}`,
      resourceVersion: '',
      creationTimestamp: timestamp(world.timeline.now),
    },
    data: { '.dockerconfigjson': base64(JSON.stringify({ auths: { 'nvcr.io': { auth } } })) },
  });
}

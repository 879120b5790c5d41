import { beforeAll, describe } from 'vitest';
import { openSandbox } from '../../src/sandbox/open.ts';
import { objectsContract } from './kubernetes-objects.ts';
import { patchesContract } from './kubernetes-patches.ts';
import type { KubernetesWorld } from './kubernetes-setup.ts';

async function sandboxWorld(): Promise<KubernetesWorld> {
  const sandbox = openSandbox({ seed: 7 });
  const { kubernetes } = sandbox.services;
  const namespace = 'contract';
  await kubernetes.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  return {
    kubernetes,
    namespace,
    image: 'busybox:1.36',
    nextImage: 'busybox:1.37',
    interrupt: async () => {
      sandbox.control.compact();
      sandbox.control.outage(500);
    },
    restricted: async () =>
      sandbox.restricted(
        ['get', 'list', 'watch'].map((verb) => ({ verb, resource: 'pods', namespace })),
      ),
  };
}

describe('the sandbox as a Kubernetes cluster', () => {
  let opened: KubernetesWorld | undefined;
  const world = (): KubernetesWorld => {
    if (opened === undefined) throw new Error('the sandbox is not open yet');
    return opened;
  };
  beforeAll(async () => {
    opened = await sandboxWorld();
  });
  objectsContract(world);
  patchesContract(world);
});

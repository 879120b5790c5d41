import { beforeAll, describe } from 'vitest';
import { coordinationContract } from './kubernetes-coordination.ts';
import { objectsContract } from './kubernetes-objects.ts';
import { patchesContract } from './kubernetes-patches.ts';
import { podsContract } from './kubernetes-pods.ts';
import type { KubernetesSetup, KubernetesWorld } from './kubernetes-setup.ts';
import { workloadsContract } from './kubernetes-workloads.ts';

export type { KubernetesSetup, KubernetesWorld } from './kubernetes-setup.ts';

/** What steps and engine rely on, whichever implementation answers. */
export function kubernetesContract(name: string, setup: KubernetesSetup): void {
  describe(`Kubernetes: ${name}`, () => {
    let world: KubernetesWorld | undefined;
    beforeAll(async () => {
      world = await setup();
    });
    const lent = () => {
      if (world === undefined) throw new Error('the world was not set up');
      return world;
    };
    objectsContract(lent);
    patchesContract(lent);
    workloadsContract(lent);
    podsContract(lent);
    coordinationContract(lent);
  });
}

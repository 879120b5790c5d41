import { openSandbox } from '../../src/sandbox/open.ts';
import { kubernetesContract } from './kubernetes.ts';

kubernetesContract('sandbox', async () => {
  const sandbox = openSandbox({ seed: 7 });
  const { kubernetes } = sandbox.services;
  const namespace = 'contract';
  await kubernetes.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const reading = ['get', 'list', 'watch'].map((verb) => ({ verb, resource: 'pods', namespace }));
  return {
    kubernetes,
    namespace,
    image: 'busybox:1.36',
    nextImage: 'busybox:1.37',
    interrupt: async () => sandbox.control.compact(),
    restricted: async () => sandbox.restricted(reading),
  };
});

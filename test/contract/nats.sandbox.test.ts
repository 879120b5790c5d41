import { openSandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { natsContract } from './nats.ts';

natsContract('sandbox', async () => {
  const { services } = openSandbox({ seed: 11 });
  const { kubernetes, nats, clock } = services;
  const namespace = 'nats-system';
  const [gateway] = await kubernetes.list(kinds.pods, {
    namespace: 'api-keys',
    labelSelector: 'app.kubernetes.io/name=helm-admin-token-issuer-proxy',
  });
  return {
    nats,
    pods: [0, 1, 2].map((at) => ({ namespace, pod: `nats-${at}`, port: 8222 })),
    stranger: { namespace: 'api-keys', pod: gateway?.metadata.name ?? '', port: 8080 },
    streams: ['TerminateNvcaStream', 'CreateNvcaFunctionTaskStream'],
    deletePod: async (name) => {
      await kubernetes.delete({ kind: kinds.pods, namespace, name }, {});
    },
    pause: () => clock.sleep(500, new AbortController().signal),
  };
});

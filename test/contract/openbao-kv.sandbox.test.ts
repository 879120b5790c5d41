import { Secret } from '../../src/engine/secret.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { openbaoKvContract } from './openbao-kv.ts';

openbaoKvContract('sandbox', async () => {
  const { services, control } = openSandbox({ seed: 12 });
  const { kubernetes, openbao, clock, http } = services;
  const namespace = 'vault-system';
  const pause = (ms: number) => clock.sleep(ms, new AbortController().signal);
  return {
    openbao,
    http,
    target: ({ pod }) => ({ url: 'http://openbao:8200', through: { namespace, pod, port: 8200 } }),
    pods: async () =>
      (await kubernetes.list(kinds.pods, { namespace, labelSelector: 'component=server' })).map(
        ({ metadata }) => ({ namespace, pod: metadata.name, uid: metadata.uid }),
      ),
    token: Secret.fromText('token', 's.sandbox-root-12'),
    pause: () => pause(500),
    seal: async ({ pod }) => control.seal(namespace, pod),
    unseal: async () => undefined,
  };
});

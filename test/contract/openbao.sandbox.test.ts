import { Secret } from '../../src/engine/secret.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { openbaoContract } from './openbao.ts';

openbaoContract('sandbox', async () => {
  const { services } = openSandbox({ seed: 11 });
  const { kubernetes, openbao, clock } = services;
  const namespace = 'vault-system';
  const pods = await kubernetes.list(kinds.pods, { namespace, labelSelector: 'component=server' });
  return {
    openbao,
    pods: pods.map(({ metadata }) => ({ namespace, pod: metadata.name, uid: metadata.uid })),
    token: Secret.fromText('token', 's.sandbox-root-11'),
    pause: () => clock.sleep(500, new AbortController().signal),
  };
});

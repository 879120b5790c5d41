import { Secret } from '../../src/engine/secret.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { baoStepsContract } from './bao-steps.ts';

baoStepsContract('the sandbox', async () => {
  const sandbox = openSandbox({ seed: 13 });
  const { services } = sandbox;
  const namespace = 'vault-system';
  const selector = 'component=server';
  return {
    services,
    selector,
    file: '/nowhere/openbao.snap',
    target: ({ pod }) => ({ url: 'http://openbao:8200', through: { namespace, pod, port: 8200 } }),
    pods: async () =>
      (await services.kubernetes.list(kinds.pods, { namespace, labelSelector: selector })).map(
        ({ metadata }) => ({ namespace, pod: metadata.name, uid: metadata.uid }),
      ),
    token: Secret.fromText('token', 's.sandbox-root-13'),
    pause: () => services.clock.sleep(500, new AbortController().signal),
    denied: async () => sandbox.restricted([{ verb: 'get', resource: 'serviceaccounts' }]),
  };
});

import { names } from '../contract/shipped.ts';
import { rehearseAll } from './share.ts';

/** Ways of a runbook that the inputs of its golden do not lead to. */
const more: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'restart-namespace': [['namespace=vault-system']],
  'restart-service': [['service=openbao'], ['service=nats'], ['service=cassandra']],
  'restart-workload': [
    [
      'service=openbao',
      'namespace=vault-system',
      'kind=StatefulSet',
      'resource=openbao-server',
      'selector=app.kubernetes.io/instance=openbao-server,component=server',
    ],
  ],
  'take-offline': [['service=nats', 'acceptOutage=true']],
};

rehearseAll(
  names.filter((name) => !/^(mek|nek)-/.test(name)),
  more,
  // Once a migrations Job has taken keys away: test/cli/upgrade-openbao.test.ts.
  // The inner steps of restart-workload are those that restart-service is rehearsed with.
  [
    'upgrade-openbao bringBack/restore',
    'upgrade-openbao bringBack/loaded/converge',
    // Of the active pod alone, which rolling-restart-openbao comes to.
    'restart-openbao-pod stepDown',
    'restart-workload streamByStream/each/replace',
    'restart-workload nodeByNode/each/replace',
    'restart-namespace restart/streamByStream/each/replace',
    'restart-namespace restart/nodeByNode/each/replace',
  ],
);

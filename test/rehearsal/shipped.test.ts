import { names } from '../contract/shipped.ts';
import { rehearseAll } from './share.ts';

/** Ways of a runbook that the inputs of its golden do not lead to. */
const more: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'restart-namespace': [['namespace=vault-system']],
  'restart-service': [['service=openbao']],
  'restart-workload': [
    [
      'service=openbao',
      'namespace=vault-system',
      'kind=StatefulSet',
      'resource=openbao-server',
      'selector=app.kubernetes.io/instance=openbao-server,component=server',
    ],
  ],
  'spot-upgrade': [
    ['service=cassandra', 'version=0.20.2', 'reuse=true', 'acceptStateful=true', 'acceptJobs=true'],
  ],
  'take-offline': [['service=nats', 'acceptOutage=true']],
};

rehearseAll(
  names.filter((name) => !/^(mek|nek)-/.test(name)),
  more,
);

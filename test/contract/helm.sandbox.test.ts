import type { JsonObject } from '../../src/engine/json.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { type HelmWorld, helmContract } from './helm.ts';
import { helmStepsContract } from './helm-steps.ts';

const never = new AbortController().signal;
const deployment = (name: string) => ({ kind: kinds.deployments, namespace: 'nvcf', name });

async function simulated(): Promise<HelmWorld> {
  let sandbox = openSandbox({ seed: 11 });
  await sandbox.services.clock.sleep(600_000, never);
  return {
    // Each test finds the release as it was seeded.
    sample: async () => {
      sandbox = openSandbox({ seed: 11 });
      const chart = 'oci://registry.sandbox/nvcf/helm-nvcf-invocation-service';
      return {
        helm: sandbox.services.helm,
        services: sandbox.services,
        at: { namespace: 'nvcf', release: 'invocation-service' },
        chart: 'helm-nvcf-invocation-service',
        version: '1.5.6',
        good: { chart, version: '1.5.7' },
        unready: { chart, version: '1.5.8' },
        brokenHook: { chart, version: '1.5.9' },
        workload: async () => {
          const found = await sandbox.services.kubernetes.get(deployment('invocation-service'));
          const spec = found?.spec as { readonly replicas: number; readonly template: JsonObject };
          const containers = (spec.template.spec as JsonObject).containers as readonly JsonObject[];
          return {
            replicas: spec.replicas,
            image: String(containers[0]?.image),
            labels: found?.metadata.labels,
          };
        },
      };
    },
    kill: () => sandbox.control.killHelm(),
    until: async (seen) => {
      while (!(await seen())) await sandbox.services.clock.sleep(500, never);
    },
    patience: 120_000,
  };
}

helmContract('sandbox', simulated);
helmStepsContract('sandbox', simulated);

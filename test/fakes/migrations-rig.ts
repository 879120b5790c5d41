import type { JsonObject } from '../../src/engine/json.ts';
import { Secret } from '../../src/engine/secret.ts';
import { FakeLedger } from './fake-ledger.ts';
import { stepRig } from './step-context.ts';

const jobs = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true } as const;
export const namespace = 'cassandra-system';
export const ledgerInput = {
  namespace,
  selector: 'app=cassandra',
  password: Secret.fromText('password', 'canary-password') as never,
};

/** A clean ledger of two keyspaces, and no Job. */
export function migrationsRig() {
  const ledger = new FakeLedger();
  ledger.tables.set('ess_api', [{ version: 23, dirty: false }]);
  ledger.tables.set('nvcf_api', [{ version: 41, dirty: false }]);
  const made = stepRig({ ledger });
  const putJob = (name: string, status: JsonObject) =>
    void made.cluster.put(jobs, { metadata: { name, namespace }, status });
  return { ...made, ledger, putJob };
}

export const completeJob: JsonObject = {
  succeeded: 1,
  failed: 2,
  completionTime: '2026-11-24T18:00:00Z',
  conditions: [{ type: 'Complete', status: 'True' }],
};
export const failedJob: JsonObject = {
  failed: 7,
  conditions: [
    { type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', message: 'Job has reached the limit' },
  ],
};

import { types } from 'cassandra-driver';
import { log } from '../lib/server.ts';
import { age, createdAt, type MasterKeys, wrappingKey } from './master-keys.ts';
import { count, masked } from './metrics.ts';
import { isValid, type KeyRow, makeKey, selectKey, validate, wrapKey } from './namespace-keys.ts';
import { reportInvalid } from './secrets.ts';
import type { JobSettings, Settings } from './settings.ts';
import type { EssStore } from './store.ts';

interface Given {
  store: EssStore;
  settings: Settings;
  masterKeys: () => MasterKeys;
}

/** Runs whichever of the scheduled jobs have a schedule, each replica for itself, as in ESS. */
export function startJobs({ store, settings, masterKeys }: Given): void {
  const { rotation, reencryption, promotion } = settings;
  const jobs = [
    { name: 'rotation', on: rotation, run: rotateAll },
    { name: 're-encryption', on: reencryption, run: reencryptAll },
    { name: 'promotion', on: promotion, run: promoteAll },
  ].filter(({ on }) => on.scheduled);
  for (const { name } of jobs)
    log('INFO', `encryption keys ${name} schedule: every ${settings.jobsEvery / 1000} s`);
  const runAll = async () => {
    for (const { name, run } of jobs) {
      const begun = performance.now();
      log('INFO', `Starting encryption key ${name}`);
      await run().catch((error: Error) => {
        const took = `${Math.round(performance.now() - begun)} ms`;
        log('ERROR', `Failed encryption key ${name}, took ${took}: ${error.message}`);
      });
    }
    setTimeout(runAll, settings.jobsEvery);
  };
  if (jobs.length > 0) setTimeout(runAll, 1_000);

  function isTooEarly(what: string): boolean {
    if (age(masterKeys()) >= settings.gracePeriod) return false;
    const hours = settings.gracePeriod / 3_600_000;
    log('WARN', `${what} was triggered within PT${hours}H of MEK rotation, skipping execution`);
    return true;
  }

  async function reencryptAll(): Promise<void> {
    if (isTooEarly('Re-encryption')) return;
    let total = 0;
    for (const namespace of await store.namespaces()) {
      if (!isOn(reencryption, namespace)) continue;
      const byKid = groupByKid(await store.namespaceRows(namespace));
      let done = 0;
      for (const rows of byKid.values()) {
        if (!rows.some(isValid)) continue;
        try {
          if (await reencrypt(rows)) done += 1;
        } catch (error) {
          report('nek_reencryption_errors_total', rows, error);
        }
      }
      total += done;
      if (done > 0) log('INFO', `Re-encrypted: ${done} NEKs in namespace: ${namespace}`);
    }
    log('INFO', `Re-encrypted ${total} encryption keys`);
  }

  async function reencrypt(rows: KeyRow[]): Promise<boolean> {
    const { kid, key, row } = await selectKey(rows, masterKeys(), reportInvalid);
    const master = wrappingKey(masterKeys(), settings.gracePeriod);
    // A name that carries no time counts as older than every other.
    const wrappedAt = createdAt(row.encryptedByKid ?? '') ?? 0;
    if (wrappedAt >= (createdAt(master.kid) ?? 0)) return false;
    if (Date.now() - row.encryptedAt < reencryption.period) return false;
    const fresh = await wrapKey({ kid, key }, master, {
      namespace: row.namespace,
      createdAt: row.createdAt ?? '',
      encryptedAt: Date.now(),
      status: 'PENDING_REENCRYPTION',
    });
    await store.insertKey(fresh);
    log('INFO', 'NEKv2 write');
    return true;
  }

  async function promoteAll(): Promise<void> {
    let promoted = 0;
    let failed = 0;
    for (const namespace of await store.namespaces()) {
      if (!isOn(promotion, namespace)) {
        log('INFO', 'Skipping NEK promotion as it is disabled at a global level and for this namespace');
        continue;
      }
      for (const row of await store.namespaceRows(namespace)) {
        if (row.status === 'VALIDATED') continue;
        const verdict = await validate(row, masterKeys());
        if (verdict.state === 'usable') {
          await store.promote(row, row.status === 'PENDING_ROTATION');
          log('INFO', `Successfully promoted NEKv2 | namespace ${namespace}, kid ${masked(row.kid)}`);
          promoted += 1;
        } else {
          reportInvalid(row, verdict.error);
          failed += 1;
        }
      }
    }
    log(
      'INFO',
      `Promotion results: promoted ${promoted} encryption keys, failed to promote ${failed} encryption keys`,
    );
  }

  async function rotateAll(): Promise<void> {
    if (isTooEarly('Rotation')) return;
    let successful = 0;
    let failed = 0;
    for (const namespace of await store.namespaces()) {
      try {
        if (await rotate(namespace)) successful += 1;
      } catch (error) {
        report('nek_rotation_errors_total', [], error);
        failed += 1;
      }
    }
    const attempted = successful + failed;
    log(
      'INFO',
      `Attempted NEK rotation in ${attempted} namespaces. Successful: ${successful} Failed: ${failed}`,
    );
  }

  async function rotate(namespace: string): Promise<boolean> {
    const current = await store.currentKid(namespace);
    const [row] = current === undefined ? [] : await store.keyRows(namespace, current);
    const born = createdAt(row?.createdAt ?? '') ?? 0;
    const due = rotation.enabled && Date.now() - born >= rotation.period;
    if (!due && !rotation.list.includes(namespace)) return false;
    const created = types.TimeUuid.now();
    const fresh = await wrapKey(makeKey(), wrappingKey(masterKeys(), settings.gracePeriod), {
      namespace,
      createdAt: created.toString(),
      encryptedAt: created.getDate().getTime(),
      status: 'PENDING_ROTATION',
    });
    await store.insertKey(fresh);
    log('INFO', 'NEKv2 write');
    return true;
  }
}

function isOn({ enabled, list }: JobSettings, namespace: string): boolean {
  return enabled || list.includes(namespace);
}

function groupByKid(rows: KeyRow[]): Map<string, KeyRow[]> {
  const groups = new Map<string, KeyRow[]>();
  for (const row of rows) groups.set(row.kid, [...(groups.get(row.kid) ?? []), row]);
  return groups;
}

function report(metric: string, [row]: KeyRow[], error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  log('ERROR', message);
  count(metric, { ek_namespace: row?.namespace ?? '', kid: masked(row?.kid ?? ''), reason: 'failed' });
}

import type { JsonObject } from '../../engine/json.ts';
import { MIGRATIONS } from '../mek/migrations-job.ts';
import { isFields } from '../patch.ts';
import type { SeededService } from '../seed/services.ts';

/** A Job of a chart that Helm runs at certain events. */
export interface ChartHook {
  readonly name: string;
  readonly events: readonly string[];
  readonly weight: number;
  readonly object: JsonObject;
}

interface HookText {
  readonly name: string;
  readonly container: string;
  readonly image: string;
  readonly events: readonly string[];
  readonly weight: number;
  /** Without one the container does what its name says. */
  readonly script?: string;
}

const everyUpgrade = ['post-install', 'post-upgrade'];

/** By release: what its chart runs. */
const texts: Readonly<Record<string, readonly HookText[]>> = {
  'openbao-server': [
    {
      name: 'openbao-server-initialize-cluster',
      container: 'initialize-cluster',
      image: 'nvcf/openbao-migrations:0.18.0',
      events: ['post-install'],
      weight: -5,
      script: 'echo initialized',
    },
    {
      name: 'openbao-server-migrations',
      container: MIGRATIONS,
      image: 'nvcf/openbao-migrations:0.18.0',
      events: everyUpgrade,
      weight: 1,
    },
  ],
  cassandra: [
    {
      name: 'cassandra-initialize-cluster',
      container: 'initialize-cluster',
      image: 'nvcf/cassandra:5.0.8-nv-2.0.1',
      events: everyUpgrade,
      weight: -5,
      script: 'echo setting replication of system_auth; sleep 3; echo Cluster initialized',
    },
    {
      name: 'cassandra-migrations',
      container: 'migrations',
      image: 'nvcf/cassandra-migrations:4.18.2',
      events: everyUpgrade,
      weight: 2,
      script: 'echo migrating ess_api; sleep 8; echo All Cassandra migrations completed successfully',
    },
  ],
  api: [
    {
      name: 'nvcf-api-account-bootstrap',
      container: 'account-bootstrap',
      image: 'nvcf/account-bootstrap:1.0.0',
      events: ['post-install'],
      weight: 0,
      script: 'echo bootstrapped',
    },
  ],
};

const failing =
  'echo applying migration 0042_add_column; sleep 2; echo error: dirty database version 42 >&2; exit 1';

function failingHook(service: SeededService): HookText {
  return {
    name: `${service.name}-migrations`,
    container: 'migrations',
    image: `nvcf/${service.release}-migrations:1.0.0`,
    events: ['post-upgrade'],
    weight: 1,
    script: failing,
  };
}

function job(text: HookText, namespace: string, values: JsonObject): JsonObject {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: text.name,
      namespace,
      annotations: { 'helm.sh/hook': text.events.join(','), 'helm.sh/hook-weight': String(text.weight) },
    },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          restartPolicy: 'Never',
          containers: [
            {
              name: text.container,
              image: text.image,
              ...(text.script === undefined ? {} : { command: ['sh', '-c', text.script] }),
              ...(text.container === MIGRATIONS ? { env: migrationsEnv(values) } : {}),
            },
          ],
        },
      },
    },
  };
}

/** `migrations: {readFails: true}` in the values makes the Job that OpenBao's chart runs take a read that fails for an absent secret. */
function migrationsEnv({ migrations }: JsonObject): JsonObject[] {
  const fails = isFields(migrations) && migrations.readFails === true;
  return [{ name: 'READ_FAILS', value: String(fails) }];
}

/** The hooks of a chart; a broken one fails in its last Job of an upgrade, or in one that it brings along. */
export function chartHooks(
  service: SeededService,
  given: { readonly broken: boolean; readonly values: JsonObject },
): readonly ChartHook[] {
  const { broken, values } = given;
  const own = texts[service.release] ?? [];
  const upgrading = own.filter(({ events }) => events.includes('post-upgrade'));
  const last = upgrading.at(-1);
  const all = !broken
    ? own
    : last === undefined
      ? [...own, failingHook(service)]
      : own.map((text) => (text === last ? { ...text, script: failing } : text));
  return all.map((text) => ({
    name: text.name,
    events: text.events,
    weight: text.weight,
    object: job(text, service.namespace, values),
  }));
}

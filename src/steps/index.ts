import type { AnyStepType, StepRegistry } from '../engine/step-type.ts';
import { manifest } from './backup/manifest.ts';
import { verify as backupVerify } from './backup/verify.ts';
import { kvGet } from './bao/kv-get.ts';
import { kvMetadata } from './bao/kv-metadata.ts';
import { kvPut } from './bao/kv-put.ts';
import { raftSnapshot } from './bao/raft-snapshot.ts';
import { status } from './bao/status.ts';
import { stepDown } from './bao/step-down.ts';
import { clearDirty as cassandraClearDirty } from './cassandra/clear-dirty.ts';
import { migrations as cassandraMigrations } from './cassandra/migrations.ts';
import { snapshot as cassandraSnapshot } from './cassandra/snapshot.ts';
import { status as cassandraStatus } from './cassandra/status.ts';
import { check as certificatesCheck } from './certificates/check.ts';
import { probe } from './ess/probe.ts';
import { approve } from './flow/approve.ts';
import { note } from './flow/note.ts';
import { wait } from './flow/wait.ts';
import { diff as helmDiff } from './helm/diff.ts';
import { getValues } from './helm/get-values.ts';
import { history } from './helm/history.ts';
import { list } from './helm/list.ts';
import { rollback } from './helm/rollback.ts';
import { status as helmStatus } from './helm/status.ts';
import { upgrade } from './helm/upgrade.ts';
import { check as httpCheck } from './http/check.ts';
import { check as imagesCheck } from './images/check.ts';
import { inventoryHealth } from './inventory/health.ts';
import { inventoryServices } from './inventory/services.ts';
import { apply } from './kubectl/apply.ts';
import { deletePod } from './kubectl/delete-pod.ts';
import { describe } from './kubectl/describe.ts';
import { events } from './kubectl/events.ts';
import { exec as kubectlExec } from './kubectl/exec.ts';
import { get } from './kubectl/get.ts';
import { logs } from './kubectl/logs.ts';
import { patch } from './kubectl/patch.ts';
import { pods } from './kubectl/pods.ts';
import { rolloutRestart } from './kubectl/rollout-restart.ts';
import { rolloutStatus } from './kubectl/rollout-status.ts';
import { rolloutUndo } from './kubectl/rollout-undo.ts';
import { scale } from './kubectl/scale.ts';
import { secretBackup } from './kubectl/secret-backup.ts';
import { secretRestore } from './kubectl/secret-restore.ts';
import { setEnv } from './kubectl/set-env.ts';
import { wait as kubectlWait } from './kubectl/wait.ts';
import { exec } from './local/exec.ts';
import { activate } from './mek/activate.ts';
import { backup } from './mek/backup.ts';
import { censusApiKeys } from './mek/census-api-keys.ts';
import { converge } from './mek/converge.ts';
import { inspect } from './mek/inspect.ts';
import { loaded as mekLoaded } from './mek/loaded.ts';
import { publish } from './mek/publish.ts';
import { repair } from './mek/repair.ts';
import { restore } from './mek/restore.ts';
import { retire } from './mek/retire.ts';
import { check as metricsCheck } from './metrics/check.ts';
import { status as natsStatus } from './nats/status.ts';
import { streams as natsStreams } from './nats/streams.ts';
import { backup as nekBackup } from './nek/backup.ts';
import { census as nekCensus } from './nek/census.ts';
import { reencrypt as nekReencrypt } from './nek/reencrypt.ts';
import { restore as nekRestore } from './nek/restore.ts';
import { rotate as nekRotate } from './nek/rotate.ts';
import { verify as nekVerify } from './nek/verify.ts';
import { keyCheck } from './notary/key-check.ts';
import { credentials as registryCredentials } from './registry/credentials.ts';

const all: readonly AnyStepType[] = [
  rolloutRestart,
  rolloutStatus,
  rolloutUndo,
  scale,
  setEnv,
  patch,
  apply,
  deletePod,
  kubectlWait,
  get,
  pods,
  logs,
  describe,
  events,
  kubectlExec,
  secretBackup,
  secretRestore,
  status,
  stepDown,
  kvGet,
  kvPut,
  kvMetadata,
  raftSnapshot,
  natsStatus,
  natsStreams,
  certificatesCheck,
  imagesCheck,
  keyCheck,
  registryCredentials,
  cassandraStatus,
  cassandraSnapshot,
  cassandraMigrations,
  cassandraClearDirty,
  nekCensus,
  nekReencrypt,
  nekRotate,
  nekVerify,
  nekBackup,
  nekRestore,
  probe,
  inspect,
  mekLoaded,
  backup,
  publish,
  converge,
  activate,
  retire,
  censusApiKeys,
  restore,
  repair,
  manifest,
  backupVerify,
  httpCheck,
  metricsCheck,
  inventoryServices,
  inventoryHealth,
  list,
  helmStatus,
  history,
  getValues,
  helmDiff,
  upgrade,
  rollback,
  exec,
  approve,
  wait,
  note,
];

/** Every step type, by name. A new one is a line above. */
export const steps: StepRegistry = new Map(all.map((step) => [step.type, step]));

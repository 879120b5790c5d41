import type { AnyStepType, StepRegistry } from '../engine/step-type.ts';
import { status } from './bao/status.ts';
import { stepDown } from './bao/step-down.ts';
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
import { setEnv } from './kubectl/set-env.ts';
import { wait as kubectlWait } from './kubectl/wait.ts';
import { exec } from './local/exec.ts';
import { check as metricsCheck } from './metrics/check.ts';

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
  status,
  stepDown,
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

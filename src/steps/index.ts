import type { AnyStepType, StepRegistry } from '../engine/step-type.ts';
import { note } from './flow/note.ts';
import { inventoryHealth } from './inventory/health.ts';
import { inventoryServices } from './inventory/services.ts';
import { pods } from './kubectl/pods.ts';
import { rolloutRestart } from './kubectl/rollout-restart.ts';
import { rolloutStatus } from './kubectl/rollout-status.ts';
import { exec } from './local/exec.ts';

const all: readonly AnyStepType[] = [
  rolloutRestart,
  rolloutStatus,
  pods,
  exec,
  note,
  inventoryServices,
  inventoryHealth,
];

/** Every step type, by name. A new one is a line above. */
export const steps: StepRegistry = new Map(all.map((step) => [step.type, step]));

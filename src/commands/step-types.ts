import type { Plan } from '../engine/plan/plan.ts';
import { typesOf } from '../engine/plan/tree.ts';
import { StepLoader } from '../engine/step-loader.ts';
import type { StepSchema } from '../engine/step-schema.ts';
import { fullStepSchemas } from '../generated/full-step-schemas.js';
import { stepTypes } from '../steps/index.ts';

/** All that a plan may come to, undo steps too: later, an upgrade may have replaced the files that they are loaded from. */
export function loadSteps(plan: Pick<Plan, 'blocks'>): Promise<StepLoader<StepSchema>> {
  return new StepLoader({ types: stepTypes, schemas: fullStepSchemas }).load(typesOf(plan));
}

import { StepLoader } from '../../src/engine/step-loader.ts';
import { fullStepSchemas } from '../../src/generated/full-step-schemas.js';
import { stepTypes } from '../../src/steps/index.ts';

const loader = new StepLoader({ types: stepTypes, schemas: fullStepSchemas });

/** Every step type there is, with its schema: no fakes. */
export const { steps, schemas } = await loader.load(loader.names);

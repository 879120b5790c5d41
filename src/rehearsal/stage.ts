import type { Plan } from '../engine/plan/plan.ts';
import type { Session } from '../engine/run/event.ts';
import type { RunbookFile } from '../engine/run/run-folder.ts';
import type { Secret } from '../engine/secret.ts';
import type { StepSchema } from '../engine/step-schema.ts';
import type { StepRegistry } from '../engine/step-type.ts';
import type { Value } from '../engine/value.ts';
import type { ServiceEntry } from '../services/service-directory.ts';
import type { LiveReport } from './live/report.ts';

/** What every rehearsal of one runbook begins with. */
export interface Stage {
  /** Made in the world that `from` holds. */
  readonly plan: Plan;
  readonly files: readonly RunbookFile[];
  readonly steps: StepRegistry;
  readonly schemas: Readonly<Record<string, StepSchema>>;
  readonly inputs: Readonly<Record<string, Value>>;
  readonly inventory: readonly ServiceEntry[];
  readonly session: Session;
  readonly seed: number;
  /** Folder of the world that each of them begins as. */
  readonly from: string;
  /** The world is shaped like a cluster: how far. */
  readonly live?: LiveReport;
  /** An empty folder: what a rehearsal writes is below it, and gone when it is over. */
  readonly folder: string;
  /** Secret inputs: nothing that is told of a rehearsal shows one. */
  readonly secrets: readonly Secret[];
}

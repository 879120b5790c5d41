import type { Json, JsonObject } from '../json.ts';
import type { InputSpec, InputType, Node, Risk, SecretSource } from '../read/runbook.ts';
import type { Access, DiffLine, Witness } from '../step-type.ts';

/** A resolved input. A secret is its source, never its value. */
export type PlannedInput =
  | { readonly type: Exclude<InputType, 'secret'>; readonly value: Json; readonly given: boolean }
  | { readonly type: 'secret'; readonly from: SecretSource };

export interface PlannedCluster {
  readonly context: string;
  readonly server: string;
  readonly uid: string;
  readonly version: string;
}

export type ForecastStatus =
  /** A changing step that would change something, predicted. */
  | 'change'
  /** Already as wanted. */
  | 'no-change'
  /** Cannot be predicted, or depends on what is not known yet. */
  | 'unknown'
  /** A read that ran in the plan and whose `expect` held. */
  | 'read'
  /** A read that runs later. */
  | 'read-later'
  /** `when` is false. */
  | 'skipped'
  /** A precondition or read that failed in the plan. */
  | 'failed'
  /** A group or include: see its children. */
  | 'group';

/** What the plan says about one instance. */
export interface Forecast {
  /** Instance id. */
  readonly id: string;
  readonly depth: number;
  readonly block: BlockName;
  readonly name: string;
  readonly uses?: string;
  /** From `describe`. */
  readonly summary?: string;
  readonly status: ForecastStatus;
  readonly diff?: readonly DiffLine[];
  /** 'known after restart', 'no dry run for this kind', 'expect failed: …'. */
  readonly reason?: string;
  readonly notes?: readonly string[];
  readonly witnesses?: readonly Witness[];
  readonly duration?: { readonly min: number; readonly max: number };
  readonly confirm?: string;
  /** How it would be undone: 'scale back to 3', 'irreversible: …'. */
  readonly undo?: string;
}

export type BlockName = 'preconditions' | 'steps' | 'verifications' | 'rollback';

/** An artefact: canonical JSON, self-contained; `decide` needs nothing else. */
export interface Plan {
  readonly version: 1;
  readonly tool: string;
  readonly createdAt: string;
  readonly runbook: {
    readonly name: string;
    readonly title: string;
    readonly description: string;
    readonly risk: Risk;
    readonly path: string;
    /** sha256 over all files, in order. */
    readonly digest: string;
    readonly files: readonly { readonly path: string; readonly sha256: string }[];
  };
  readonly inputSpecs: Readonly<Record<string, InputSpec>>;
  readonly inputs: Readonly<Record<string, PlannedInput>>;
  /** The service inventory by name, when a runbook is included that takes a service: names that only a step gives are found here. */
  readonly services?: Readonly<Record<string, JsonObject>>;
  readonly cluster: PlannedCluster | undefined;
  /** `from`: the folder of the world that it begins with, when that is one of an earlier run. */
  readonly sandbox:
    | { readonly seed: number; readonly faults: readonly string[]; readonly from?: string }
    | undefined;
  readonly locks: readonly string[];
  readonly lockNamespace: string;
  readonly blocks: Readonly<Record<BlockName, readonly Node[]>>;
  readonly outputs: Readonly<Record<string, Json>>;
  readonly forecast: readonly Forecast[];
  readonly access: readonly Access[];
  readonly duration: { readonly min: number; readonly max: number; readonly basis: string };
  /** sha256 of this plan's canonical JSON without this field. */
  readonly digest: string;
}

/** `canonical(plan)` is what is written, hashed and read back. */
export type PlanFile = JsonObject;

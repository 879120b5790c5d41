import type { ReadServices } from '../../services/services.ts';
import { isJsonObject } from '../canonical-json.ts';
import type { JsonObject } from '../json.ts';
import type { Inventory } from '../read/inventory.ts';
import type { Node, Risk, Runbook } from '../read/runbook.ts';
import type { Secret } from '../secret.ts';
import type { StepSchema } from '../step-schema.ts';
import type { StepRegistry } from '../step-type.ts';
import { type AccessNeeds, accessNeeds } from './access.ts';
import { type PastRun, type Span, spansOf } from './estimate.ts';
import { servicesFor } from './include-input.ts';
import type { InstanceFacts } from './instance.ts';
import type { BlockName, Forecast, Plan, PlannedCluster, PlannedInput } from './plan.ts';
import type { PlanProblem } from './problem.ts';
import type { ScopeSource } from './scope.ts';
import { type Touched, touched } from './touched.ts';

export interface PlanOptions {
  /** Of the run to come, or what stands for it in a plan that is only looked at. */
  readonly runId: string;
  /** Version of this program. */
  readonly tool: string;
  /** Who asks, as `run.user` in templates. */
  readonly user: string;
  /** Undefined: asked of the API server, once anything turns out to need it. */
  readonly cluster?: PlannedCluster;
  readonly lockNamespace: string;
  readonly sandbox?: NonNullable<Plan['sandbox']>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /**
   * 'all' for a plan that people look at. 'needed' for one that is run at once: only reads that something else refers to are asked now,
   * the run itself asks the others.
   */
  readonly reads?: 'all' | 'needed';
  /** Of earlier runs of this runbook. */
  readonly history?: readonly PastRun[];
}

export interface PlanRequest {
  readonly runbook: Runbook;
  readonly inputs: Readonly<Record<string, PlannedInput>>;
  /** Of every input of type secret that is there. */
  readonly secrets: Readonly<Record<string, Secret>>;
  readonly steps: StepRegistry;
  readonly schemas: Readonly<Record<string, StepSchema>>;
  /** The service inventory, for includes that are given a service by its name. */
  readonly inventory?: Pick<Inventory, 'services'>;
  readonly services: ReadServices;
  readonly options: PlanOptions;
  /** Rejects with the signal's reason. */
  readonly signal: AbortSignal;
  progress?(text: string): void;
  /** Hides a secret that a step has read from everything that is printed. */
  protect?(secret: Secret): void;
}

/** Where the walk stands. */
export interface Spot {
  /** Instance id that children are named after: '@steps', 'group', 'restart~verify'. */
  readonly container: string;
  readonly block: BlockName;
  readonly depth: number;
  /** Undefined: it will run. Otherwise why that, or when, is not certain: 'only if …', 'known after x'. */
  readonly doubt: string | undefined;
  /** Whether the world is asked at all. */
  readonly live: boolean;
  /** False: only permissions and mistakes count; there is no line in the plan. */
  readonly shown: boolean;
  /** The include whose precondition this is. */
  readonly gateOf: string | undefined;
}

/** Everything that a plan gathers on its way through the tree. */
export interface Planner {
  readonly request: PlanRequest;
  readonly source: ScopeSource;
  readonly facts: Map<string, InstanceFacts>;
  readonly forecast: Forecast[];
  readonly problems: PlanProblem[];
  readonly locks: Set<string>;
  /** Of the runbook and of every include that may run. */
  readonly risks: Set<Risk>;
  readonly access: AccessNeeds;
  readonly touched: Touched;
  readonly spans: ReadonlyMap<string, Span>;
  /** Ids of steps that something refers to; undefined when every read is asked. */
  readonly needed: ReadonlySet<string> | undefined;
  readonly basis: { predicted: number; past: number; without: number };
  /** The first change that is still to come. */
  changed: string | undefined;
  /** Why asking the cluster again is pointless. */
  offline: string | undefined;
}

export function newPlanner(request: PlanRequest): Planner {
  const facts = new Map<string, InstanceFacts>();
  const { runbook, options } = request;
  const { preconditions, steps, verifications, rollback } = runbook;
  const services = servicesFor(
    [...preconditions, ...steps, ...verifications, ...rollback],
    request.inventory,
  );
  const source: ScopeSource = {
    plan: {
      blocks: { preconditions, steps, verifications, rollback },
      inputs: request.inputs,
      ...(services === undefined ? {} : { services }),
      runbook: { ...describeRunbook(runbook), digest: '', files: [] },
    },
    run: { id: options.runId, startedAt: new Date(options.now).toISOString(), user: options.user },
    inputs: { ...plainInputs(request.inputs), ...request.secrets },
    facts: (instance) => facts.get(instance),
  };
  return {
    request,
    source,
    facts,
    forecast: [],
    problems: [],
    locks: new Set(),
    risks: new Set([runbook.risk]),
    access: accessNeeds(),
    touched: touched(),
    spans: spansOf(options.history ?? []),
    needed: options.reads === 'needed' ? referredIds(runbook) : undefined,
    basis: { predicted: 0, past: 0, without: 0 },
    changed: undefined,
    offline: undefined,
  };
}

export function describeRunbook(runbook: Runbook): Omit<Plan['runbook'], 'digest' | 'files'> {
  const { name, title, description, risk, files } = runbook;
  return { name, title, description, risk, path: files[0]?.path ?? name };
}

/** Keeps what was recorded of the element when an instance's own facts come. */
export function setFacts(planner: Planner, instance: string, facts: InstanceFacts): void {
  const item = planner.facts.get(instance)?.item;
  planner.facts.set(instance, item === undefined ? facts : { ...facts, item });
}

export function addProblem(planner: Planner, node: Node, problem: PlanProblem): void {
  planner.problems.push({ at: node.at, ...problem });
}

/** Adds a line to the plan, unless the spot has none; answers its place, for what is only known after its children. */
export function show(planner: Planner, spot: Spot, forecast: Forecast): number {
  if (!spot.shown) return -1;
  return planner.forecast.push(forecast) - 1;
}

export function amend(planner: Planner, place: number, more: Partial<Forecast>): void {
  const known = planner.forecast[place];
  if (known !== undefined) planner.forecast[place] = { ...known, ...more };
}

export function objectOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** Every `steps.<id>` anywhere in the text of a runbook and its includes: rather one too many. */
function referredIds({
  preconditions,
  steps,
  verifications,
  rollback,
  outputs,
}: Runbook): ReadonlySet<string> {
  const text = JSON.stringify([preconditions, steps, verifications, rollback, outputs]);
  return new Set(Array.from(text.matchAll(/\bsteps(?:\.|\[\s*\\?["'])(\w+)/g), (match) => match[1] ?? ''));
}

function plainInputs(inputs: Readonly<Record<string, PlannedInput>>): ScopeSource['inputs'] {
  return Object.fromEntries(
    Object.entries(inputs).flatMap(([name, input]) =>
      input.type === 'secret' ? [] : [[name, input.value] as const],
    ),
  );
}

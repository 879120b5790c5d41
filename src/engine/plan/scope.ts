import type { Json, JsonObject } from '../json.ts';
import type { Lookup, Value } from '../value.ts';
import type { BlockName, Plan } from './plan.ts';

/**
 * Instance ids: a root step is its id ('restart'); a child of a group or include 'group/child'; a forEach instance 'restart[nvcf-api]';
 * nested 'all[nvcf]/restart'. Derived containers: 'restart~verify/check', 'restart~undo/putBack', '@recheck/healthy' (preconditions
 * evaluated again after a rollback). Root blocks are the containers '@preconditions', '@steps', '@verifications', '@rollback', '@recheck';
 * their children carry no prefix, but for '@recheck'.
 */
export interface InstanceFacts {
  readonly state: 'applied' | 'skipped' | 'notRun' | 'failed';
  readonly outputs?: JsonObject;
  /** Of an include: the rendered inputs of its inner scope. Of a forEach instance: its element. */
  readonly with?: JsonObject;
  readonly item?: { readonly name: string; readonly value: Json };
  /** Of a forEach node's expansion: its keys in order. */
  readonly keys?: readonly string[];
}

/** What the scope of an instance is made of; plan and run each have their own source. */
export interface ScopeSource {
  readonly plan: Pick<Plan, 'blocks' | 'inputs' | 'runbook'>;
  readonly run: { readonly id: string; readonly startedAt: string; readonly user: string };
  /** Root inputs with secrets resolved to `Secret`. */
  readonly inputs: Readonly<Record<string, Value>>;
  /** Undefined: not there yet. */
  facts(instance: string): InstanceFacts | undefined;
}

/** References of templates in an instance's scope. `own` adds names such as `outputs` while `expect` is decided. */
export declare function lookupFor(
  source: ScopeSource,
  instance: string,
  own?: Readonly<Record<string, Value>>,
): Lookup;
/** Root variables for CEL in an instance's scope, restricted to what the expression reads; or what is still unknown. */
export declare function expressionValues(
  source: ScopeSource,
  instance: string,
  text: string,
  own?: Readonly<Record<string, Value>>,
):
  | { readonly state: 'known'; readonly values: Readonly<Record<string, Value>> }
  | { readonly state: 'unknown'; readonly after: readonly string[] }
  | { readonly state: 'missing'; readonly why: string };
/** The node of an instance id and the block it stands in. */
export declare function nodeOf(
  plan: Pick<Plan, 'blocks'>,
  instance: string,
): { readonly node: import('../read/runbook.ts').Node; readonly block: BlockName } | undefined;

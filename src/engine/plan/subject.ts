import type { Access } from '../access.ts';
import { parseDuration } from '../duration.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Node, StepNode } from '../read/runbook.ts';
import type { AnyStepType, ReadContext, Resource } from '../step-type.ts';
import { renderForDisplay, renderTemplate, renderValue } from '../template.ts';
import type { Value } from '../value.ts';
import { checkWith } from './check-with.ts';
import { childOf, nodeIdOf } from './instance.ts';
import type { Forecast } from './plan.ts';
import { addProblem, objectOf, type Planner, type Spot } from './planner.ts';
import { lookupFor } from './scope.ts';

/** One step instance as the plan sees it. */
export interface Subject {
  readonly node: StepNode;
  readonly id: string;
  readonly spot: Spot;
  readonly type: AnyStepType;
  /** `with` as the run would get it; or what it waits for; or undefined when it can never be right (already a problem). */
  readonly input:
    | { readonly state: 'known'; readonly value: Value }
    | { readonly state: 'unknown'; readonly after: readonly string[] }
    | { readonly state: 'invalid'; readonly why: string };
  /** `with` for people: unknown parts are '‹known after x›'. */
  readonly display: JsonObject;
  readonly resources: readonly Resource[];
  /** What every line about it says. */
  readonly line: Omit<Forecast, 'status'>;
}

const UNCHECKED = 'its permissions can only be checked when its inputs are known';
const UNKNOWN = /‹(?:known after|missing: )/;

/** Renders, checks and describes a step; notes the permissions that it needs. */
export function subjectOf(planner: Planner, node: StepNode, place: { id: string; spot: Spot }): Subject {
  const { id, spot } = place;
  const type = planner.request.steps.get(node.uses);
  if (type === undefined) throw new RangeError(`no step type ${node.uses} at ${node.at}`);
  const lookup = lookupFor(planner.source, id);
  const rendered = renderValue(node.with, lookup);
  const display = objectOf(renderForDisplay(node.with, lookup).value);
  const input = checkedInput(planner, node, rendered);
  if (input.state === 'invalid')
    addProblem(planner, node, { kind: 'invalid', instance: id, message: `${id}: ${input.why}` });
  const told: Json | Value = input.state === 'known' ? input.value : display;
  const notes = noteAccess(planner, { id, type, told, certain: input.state === 'known' });
  const summary = attempt(() => type.describe(display as never));
  return {
    node,
    id,
    spot,
    type,
    input,
    display,
    resources: resourcesOf(type, told),
    line: {
      ...nameOf(planner, node, { id, spot, summary }),
      uses: node.uses,
      ...(summary === undefined ? {} : { summary }),
      ...(notes.length === 0 ? {} : { notes }),
    },
  };
}

/** What a line says about any node: id, depth, block, name and the question before it. */
export function nameOf(
  planner: Planner,
  node: Node,
  place: { readonly id: string; readonly spot: Spot; readonly summary?: string | undefined },
): Omit<Forecast, 'status'> {
  const { id, spot } = place;
  const fallback = place.summary ?? (node.kind === 'include' ? node.title : node.id);
  const confirm = node.confirm === undefined ? {} : { confirm: displayText(planner, node.confirm, id) };
  const name = node.name === undefined ? fallback : displayText(planner, node.name, id);
  return { id, depth: spot.depth, block: spot.block, name, ...confirm };
}

/** How an undo step is called in the line of what it undoes. */
export function labelOf(planner: Planner, node: Node, id: string): string {
  if (node.name !== undefined) return displayText(planner, node.name, id);
  if (node.kind !== 'step') return node.kind === 'include' ? node.title : node.id;
  const display = renderForDisplay(node.with, lookupFor(planner.source, id)).value;
  const type = planner.request.steps.get(node.uses);
  return attempt(() => type?.describe(display as never)) ?? node.id;
}

/** Names of the steps that take something back; without those that are known to be skipped. */
export function undoLabels(planner: Planner, nodes: readonly Node[], container: string): readonly string[] {
  return nodes.flatMap((node) => {
    const id = childOf(container, node.id);
    return planner.facts.get(id)?.state === 'skipped' ? [] : [labelOf(planner, node, id)];
  });
}

export function displayText(planner: Planner, text: string, instance: string): string {
  const { value } = renderForDisplay(text, lookupFor(planner.source, instance));
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** 'known after restart' */
export function knownAfter(after: readonly string[]): string {
  const names = [...new Set(after.map(nodeIdOf))];
  const shown = names.slice(0, 4).join(', ');
  return `known after ${shown}${names.length > 4 ? ` and ${names.length - 4} more` : ''}`;
}

/** What a step is given in a plan. */
export function contextFor(planner: Planner, subject: Subject, signal: AbortSignal): ReadContext {
  const { services, options } = planner.request;
  const { node, id } = subject;
  const given =
    node.timeout === undefined ? undefined : renderTemplate(node.timeout, lookupFor(planner.source, id));
  const text = given?.state === 'known' ? given.value : undefined;
  const limit = typeof text === 'string' ? parseDuration(text) : undefined;
  return {
    services,
    signal,
    runId: options.runId,
    instance: id,
    deadline: services.clock.now() + (limit ?? subject.type.timeout ?? 60_000),
    progress: ({ text: awaited }) => planner.request.progress?.(`${id}: ${awaited}`),
    protect: (secret) => planner.request.protect?.(secret),
    kept: async () => undefined,
  };
}

function checkedInput(
  planner: Planner,
  node: StepNode,
  rendered: ReturnType<typeof renderValue>,
): Subject['input'] {
  if (rendered.state === 'missing') return { state: 'invalid', why: rendered.why };
  if (rendered.state === 'unknown') return rendered;
  const schema = planner.request.schemas[node.uses];
  const wrong = schema === undefined ? [] : checkWith(schema, rendered.value);
  return wrong.length === 0 ? rendered : { state: 'invalid', why: wrong.join('; ') };
}

interface Needing {
  readonly id: string;
  readonly type: AnyStepType;
  readonly told: Json | Value;
  readonly certain: boolean;
}

/** Permissions that depend on what is not known yet cannot be asked for; that is worth a note. */
function noteAccess(planner: Planner, needing: Needing): readonly string[] {
  const { id, type, told, certain } = needing;
  const accesses = attempt(() => type.access(told as never));
  const by = sayNeed(id);
  if (accesses === undefined) return [UNCHECKED];
  if (certain) {
    planner.access.add(accesses, by);
    return [];
  }
  const known = accesses.flatMap((access): readonly Access[] => {
    if (access.system === 'openbao') return UNKNOWN.test(access.path) ? [] : [access];
    const { name, ...rest } = access;
    if (UNKNOWN.test(JSON.stringify(rest))) return [];
    return [name === undefined || UNKNOWN.test(name) ? rest : access];
  });
  planner.access.add(known, by);
  return known.length === accesses.length ? [] : [UNCHECKED];
}

/** 'restart', 'putBack (undo of restart)' */
function sayNeed(id: string): string {
  const undo = /^(.*)~undo\/(.*)$/.exec(id);
  if (undo !== null) return `${undo[2]} (undo of ${undo[1]})`;
  const verify = /^(.*)~verify\/(.*)$/.exec(id);
  return verify === null ? id : `${verify[2]} (verification of ${verify[1]})`;
}

function resourcesOf(type: AnyStepType, told: Json | Value): readonly Resource[] {
  const resources = attempt(() => type.resources(told as never)) ?? [];
  return resources.map(({ path, mode }) => ({
    mode,
    path: path.includes('‹')
      ? path
          .split('/')
          .map((segment) => (UNKNOWN.test(segment) ? '*' : segment))
          .join('/')
      : path,
  }));
}

/** A step type may trip over text where it expects a number that is not known yet. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

import { durationForm, parseDuration } from '../duration.ts';
import { valueProblem } from '../input-value.ts';
import type { Json } from '../json.ts';
import { compilePattern } from '../pattern.ts';
import { type Context, report } from './context.ts';
import { findService, serviceHint } from './inventory.ts';
import type { InputSpec } from './runbook.ts';
import {
  at,
  entryOf,
  jsonOf,
  type MapEntry,
  type Problem,
  rangeOf,
  shorten,
  type Tree,
  valueAt,
} from './tree.ts';

/** Which keys belong to which types only. */
const ownKeys: Readonly<Record<string, readonly string[]>> = {
  values: ['enum'],
  of: ['list', 'map'],
  from: ['secret'],
  pattern: ['string', 'list', 'map'],
  min: ['string', 'integer', 'number', 'duration', 'list', 'map'],
  max: ['string', 'integer', 'number', 'duration', 'list', 'map'],
};

/** What the declarations of inputs say, beyond their schema. */
export function checkInputs(context: Context): void {
  const inputs = valueAt(context.tree, 'inputs');
  if (inputs?.kind !== 'map') return;
  for (const [name, entry] of inputs.entries) checkInput(context, entry, context.inputs[name]);
}

function checkInput(context: Context, declared: MapEntry, spec: InputSpec | undefined): void {
  if (spec === undefined) return;
  const before = context.found.length;
  const { value: tree, key: name } = declared;
  const onKey = (key: string, problem: Problem) => {
    const entry = entryOf(tree, key);
    report(context, entry === undefined ? declared.keyRange : entry.keyRange, problem);
  };
  for (const [key, types] of Object.entries(ownKeys))
    if (entryOf(tree, key) !== undefined && !types.includes(spec.type))
      onKey(key, {
        code: 'misplaced-key',
        message: `"${key}" has no meaning for an input of type ${spec.type}`,
        hint: `it belongs to the types ${types.join(', ')}`,
      });
  if (spec.type === 'enum' && spec.values === undefined)
    onKey('type', {
      code: 'missing-key',
      message: `the key "values" is missing in the input "${name}"`,
      hint: 'add values: [one, other]',
    });
  if (spec.type === 'secret') checkSecret(tree, spec, onKey, name);
  else if (spec.required === true && spec.default !== undefined)
    onKey('default', {
      code: 'useless-default',
      severity: 'warning',
      message: `the default of "${name}" is never used: the input is required`,
      hint: 'remove "required" or "default"',
    });
  checkLimits(context, tree, spec);
  // The values are only judged by rules that are right themselves.
  if (context.found.length === before || spec.type === 'service') checkValues(context, tree, spec);
}

function checkSecret(
  tree: Tree,
  spec: InputSpec,
  onKey: (key: string, problem: Problem) => void,
  name: string,
): void {
  if (spec.default !== undefined)
    onKey('default', {
      code: 'secret-literal',
      message: `the secret "${name}" is written in the runbook`,
      hint: 'remove it, and name its source with "from"',
    });
  if (entryOf(tree, 'from') === undefined)
    onKey('type', {
      code: 'missing-key',
      message: `the key "from" is missing in the input "${name}"`,
      hint: 'name the source of the secret, such as from: {env: RUNBOOK_SECRET_TOKEN} or from: {prompt: Token}',
    });
}

function checkLimits(context: Context, tree: Tree, spec: InputSpec): void {
  if (spec.pattern !== undefined) {
    const pattern = compilePattern(spec.pattern);
    const value = valueAt(tree, 'pattern');
    if (!pattern.ok && value !== undefined)
      report(context, value.range, {
        code: 'bad-pattern',
        message: `this is no regular expression that can be used: ${pattern.message}`,
        hint: 'write one of the RE2 kind',
      });
  }
  for (const key of ['min', 'max'] as const) checkBound(context, tree, { key, type: spec.type });
  const [min, max] = [bound(spec, spec.min), bound(spec, spec.max)];
  const entry = entryOf(tree, 'max');
  if (min !== undefined && max !== undefined && min > max && entry !== undefined)
    report(context, entry.value.range, {
      code: 'out-of-range',
      message: `"max" is less than "min" (${String(spec.min)})`,
      hint: 'no value could be given',
    });
}

function bound(spec: InputSpec, value: number | string | undefined): number | undefined {
  if (typeof value === 'string') return spec.type === 'duration' ? parseDuration(value) : undefined;
  return value;
}

function checkBound(
  context: Context,
  tree: Tree,
  { key, type }: { readonly key: 'min' | 'max'; readonly type: string },
): void {
  const value = valueAt(tree, key);
  if (value?.kind !== 'scalar' || ownKeys[key]?.includes(type) !== true) return;
  if (type === 'duration') {
    if (typeof value.value === 'string' && parseDuration(value.value) !== undefined) return;
    report(context, value.range, {
      code: 'bad-duration',
      message: `"${key}" of a duration is a duration, not ${String(value.value)}`,
      hint: `write ${durationForm}`,
    });
  } else if (typeof value.value === 'string')
    report(context, value.range, {
      code: 'wrong-type',
      message: `"${key}" takes a number, not the text "${shorten(value.value)}"`,
      hint: 'write digits, without quotes',
    });
}

function checkValues(context: Context, tree: Tree, spec: InputSpec): void {
  const written = valueAt(tree, 'default');
  if (written !== undefined && spec.type !== 'secret')
    checkValue(context, { tree: written, entry: entryOf(tree, 'default'), what: 'the default' }, spec);
  const examples = valueAt(tree, 'examples');
  for (const example of examples?.kind === 'list' && spec.type !== 'secret' ? examples.items : [])
    checkValue(context, { tree: example, entry: undefined, what: 'the example' }, spec);
}

export interface Written {
  readonly tree: Tree;
  readonly entry: MapEntry | undefined;
  /** 'the default', 'the value of "timeout"'. */
  readonly what: string;
}

/** A literal value of an input, against what the input declares. */
export function checkValue(context: Context, written: Written, spec: InputSpec): void {
  const value = jsonOf(written.tree);
  const problem = valueProblem(value, spec);
  if (problem !== undefined) {
    const found = at(written.tree, problem.path);
    const range =
      problem.path.length === 0
        ? rangeOf(written.tree, written.entry)
        : rangeOf(found?.tree ?? written.tree, found?.entry);
    const code = written.what === 'the default' ? 'bad-default' : 'bad-value';
    report(context, range, { code, message: `${written.what} ${problem.message}`, hint: problem.hint });
    return;
  }
  checkServiceNames(context, written.tree, spec);
}

function checkServiceNames(context: Context, tree: Tree, spec: InputSpec): void {
  if (spec.type === 'service') serviceName(context, tree);
  if (spec.of !== 'service') return;
  if (tree.kind === 'list') for (const item of tree.items) serviceName(context, item);
  if (tree.kind === 'map') for (const { value } of tree.entries.values()) serviceName(context, value);
}

/** The name of a service in the inventory; says nothing without one. */
export function serviceName(context: Context, tree: Tree): void {
  const name: Json = jsonOf(tree);
  const inventory = typeof name === 'string' ? context.inventory() : undefined;
  if (inventory === undefined || typeof name !== 'string' || findService(inventory, name) !== undefined)
    return;
  report(context, tree.range, {
    code: 'unknown-service',
    message: `there is no service "${shorten(name)}" in the inventory`,
    hint: serviceHint(inventory, name),
  });
}

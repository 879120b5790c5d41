import type { Json } from '../json.ts';
import { compilePattern } from '../pattern.ts';
import { checkInputValue, measure, type ServiceNames } from './input-value.ts';
import type { InputSpec } from './runbook.ts';

/** What is wrong with the declaration of an input, at one of its keys. */
export interface SpecProblem {
  readonly key: 'default' | 'examples' | 'from' | 'max' | 'min' | 'of' | 'pattern' | 'required' | 'values';
  readonly code: 'input-default' | 'input-declaration';
  readonly message: string;
  readonly hint?: string;
}

/** A default that breaks its own declaration. Service names are only checked when the inventory is given. */
export function checkDefault(spec: InputSpec, services?: ServiceNames): SpecProblem | undefined {
  if (spec.default === undefined) return undefined;
  if (spec.type === 'secret')
    return {
      key: 'default',
      code: 'input-default',
      message: 'a secret has no default',
      hint: 'name its source with "from"',
    };
  return checkSample(spec, 'default', spec.default, services);
}

/** Everything in a declaration that no value could repair: unusable pattern, empty range, a default that breaks it. */
export function checkInputSpec(spec: InputSpec, services?: ServiceNames): readonly SpecProblem[] {
  const problems = [checkPattern(spec), ...checkBounds(spec), checkValues(spec), checkSource(spec)].filter(
    (problem) => problem !== undefined,
  );
  if (problems.length > 0) return problems;
  const examples = spec.type === 'secret' ? [] : (spec.examples ?? []);
  const samples = examples.map((example) => checkSample(spec, 'examples', example, services));
  return [checkDefault(spec, services), ...samples].filter((problem) => problem !== undefined);
}

function checkSample(
  spec: InputSpec,
  key: 'default' | 'examples',
  value: Json,
  services: ServiceNames | undefined,
): SpecProblem | undefined {
  const checked = checkInputValue(spec, value, services);
  if (checked.ok) return undefined;
  const { message, hint } = checked.problem;
  const text = key === 'default' ? `the default ${message}` : `an example ${message}`;
  return { key, code: 'input-default', message: text, ...(hint === undefined ? {} : { hint }) };
}

function checkPattern(spec: InputSpec): SpecProblem | undefined {
  if (spec.pattern === undefined) return undefined;
  const holdsText =
    spec.type === 'string' ||
    ((spec.type === 'list' || spec.type === 'map') && (spec.of ?? 'string') === 'string');
  if (!holdsText) return declaration('pattern', `a pattern is for text, not for ${spec.type}`);
  const compiled = compilePattern(`^(?:${spec.pattern})$`);
  return compiled.ok ? undefined : declaration('pattern', `the pattern: ${compiled.message}`);
}

function checkBounds(spec: InputSpec): readonly SpecProblem[] {
  const { min, max, type } = spec;
  const bounds = [['min', min] as const, ['max', max] as const].filter(([, bound]) => bound !== undefined);
  if (bounds.length === 0) return [];
  if (['boolean', 'enum', 'service', 'secret'].includes(type))
    return bounds.map(([key]) => declaration(key, `${key} does not apply to ${type}`));
  const size = (bound: number | string | undefined): number | undefined =>
    bound === undefined ? undefined : measure(type, bound);
  const unusable = bounds.filter(([, bound]) => size(bound) === undefined);
  if (unusable.length > 0)
    return unusable.map(([key, bound]) =>
      declaration(
        key,
        `${key} is ${JSON.stringify(bound)}, not a ${type === 'duration' ? 'duration' : 'number'}`,
      ),
    );
  const [low, high] = [size(min), size(max)];
  return low !== undefined && high !== undefined && low > high
    ? [declaration('max', `max ${max} is below min ${min}: no value fits`)]
    : [];
}

function checkValues(spec: InputSpec): SpecProblem | undefined {
  if (spec.type === 'enum' && (spec.values ?? []).length === 0)
    return declaration('values', 'an enum needs its values', 'values: [first, second]');
  if (spec.type !== 'enum' && spec.values !== undefined)
    return declaration('values', `values are for enum, not for ${spec.type}`);
  if (spec.of !== undefined && spec.type !== 'list' && spec.type !== 'map')
    return declaration('of', `"of" is for list and map, not for ${spec.type}`);
  return undefined;
}

function checkSource(spec: InputSpec): SpecProblem | undefined {
  if (spec.type === 'secret' && spec.from === undefined)
    return declaration(
      'from',
      'a secret needs a source',
      'from: {env: RUNBOOK_SECRET_TOKEN}, {file: …} or {prompt: …}',
    );
  if (spec.type !== 'secret' && spec.from !== undefined)
    return declaration('from', `"from" is for secret, not for ${spec.type}`);
  return undefined;
}

function declaration(key: SpecProblem['key'], message: string, hint?: string): SpecProblem {
  return { key, code: 'input-declaration', message, ...(hint === undefined ? {} : { hint }) };
}

import { durationForm, parseDuration } from '../duration.ts';
import type { Json, JsonObject } from '../json.ts';
import { compilePattern } from '../pattern.ts';
import { nameHint } from '../suggest.ts';
import type { InputSpec, InputType } from './runbook.ts';

/** The service inventory as inputs need it: by name or alias. */
export interface ServiceNames {
  find(name: string): JsonObject | undefined;
  readonly names: readonly string[];
}

/** What is wrong with a value, without the input's name: 'is not a whole number'. */
export interface ValueProblem {
  readonly code: 'input-type' | 'input-pattern' | 'input-range' | 'input-service';
  readonly message: string;
  readonly hint?: string;
}

export type CheckedValue =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly problem: ValueProblem };

type ScalarType = Exclude<InputType, 'list' | 'map' | 'secret'>;

/** The value of a text from a command line: numbers, `true`, lists as `a,b` or JSON, maps as `k=v,k=v` or JSON. */
export function readInputText(
  spec: InputSpec,
  text: string,
  services: ServiceNames | undefined,
): CheckedValue {
  switch (spec.type) {
    case 'integer':
    case 'number':
      return checkInputValue(spec, numberOf(text) ?? text, services);
    case 'boolean':
      return checkInputValue(spec, text === 'true' ? true : text === 'false' ? false : text, services);
    case 'list':
      return readCollection(spec, text, services, (elements) => elements);
    case 'map':
      return readCollection(spec, text, services, (entries) => {
        const pairs = entries.map((entry) => /^([^=]+)=(.*)$/s.exec(String(entry)));
        if (pairs.some((pair) => pair === null)) return undefined;
        return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', scalarOf(spec.of, pair?.[2] ?? '')]));
      });
    default:
      return checkInputValue(spec, text, services);
  }
}

/** A typed value (from YAML or a default) against its declaration; services become their inventory entries. */
export function checkInputValue(
  spec: InputSpec,
  value: Json,
  services: ServiceNames | undefined,
): CheckedValue {
  if (spec.type === 'list' || spec.type === 'map') return checkCollection(spec, value, services);
  if (spec.type === 'secret') return wrong('input-type', 'is a secret, which has a source and no value');
  const checked = checkScalar(spec.type, spec, value, services);
  if (!checked.ok) return checked;
  return checkPattern(spec, value) ?? checkRange(spec, value) ?? checked;
}

function checkCollection(spec: InputSpec, value: Json, services: ServiceNames | undefined): CheckedValue {
  const list = spec.type === 'list';
  if (typeof value !== 'object' || value === null || Array.isArray(value) !== list)
    return wrong('input-type', `is ${describe(value)}, not a ${spec.type}`);
  const element: InputSpec = { ...spec, type: spec.of ?? 'string' };
  const checked: [string, Json][] = [];
  for (const [key, item] of Object.entries(value)) {
    const each = checkElement(element, item, services);
    if (!each.ok)
      return {
        ok: false,
        problem: {
          ...each.problem,
          message: `${list ? `element ${Number(key) + 1}` : `entry "${key}"`} ${each.problem.message}`,
        },
      };
    checked.push([key, each.value]);
  }
  const result: Json = list ? checked.map(([, item]) => item) : Object.fromEntries(checked);
  return checkSize(spec, checked.length) ?? { ok: true, value: result };
}

/** `min` and `max` count the elements; `pattern` is for each. */
function checkElement(spec: InputSpec, value: Json, services: ServiceNames | undefined): CheckedValue {
  const checked = checkScalar(spec.type as ScalarType, spec, value, services);
  return checked.ok ? (checkPattern(spec, value) ?? checked) : checked;
}

function checkScalar(
  type: ScalarType,
  spec: InputSpec,
  value: Json,
  services: ServiceNames | undefined,
): CheckedValue {
  const given = describe(value);
  switch (type) {
    case 'integer':
      if (Number.isInteger(value) && !Number.isSafeInteger(value))
        return wrong('input-range', 'is too large');
      return Number.isSafeInteger(value)
        ? known(value)
        : wrong('input-type', `is ${given}, not a whole number`);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value)
        ? known(value)
        : wrong('input-type', `is ${given}, not a number`);
    case 'boolean':
      return typeof value === 'boolean'
        ? known(value)
        : wrong('input-type', `is ${given}, not true or false`, 'write true or false');
    case 'duration':
      return typeof value === 'string' && parseDuration(value) !== undefined
        ? known(value)
        : wrong('input-type', `is ${given}, not a duration`, `write ${durationForm}`);
    case 'enum':
      return checkEnum(spec, value);
    case 'service':
      return checkService(value, services);
    default:
      return typeof value === 'string'
        ? known(value)
        : wrong('input-type', `is ${given}, not text`, 'write it in quotes');
  }
}

function checkEnum(spec: InputSpec, value: Json): CheckedValue {
  const values = spec.values ?? [];
  if (typeof value === 'string' && values.includes(value)) return known(value);
  return wrong(
    'input-type',
    `is ${describe(value)}, not one of its values`,
    nameHint(String(value), values, 'values'),
  );
}

function checkService(value: Json, services: ServiceNames | undefined): CheckedValue {
  if (typeof value !== 'string')
    return wrong('input-type', `is ${describe(value)}, not the name of a service`);
  if (services === undefined) return known(value);
  const entry = services.find(value);
  if (entry !== undefined) return known(entry);
  return wrong(
    'input-service',
    `is ${describe(value)}, not a service of the inventory`,
    nameHint(value, services.names, 'services'),
  );
}

/** The whole text must match. */
function checkPattern(spec: InputSpec, value: Json): CheckedValue | undefined {
  if (spec.pattern === undefined || typeof value !== 'string') return undefined;
  const pattern = compilePattern(`^(?:${spec.pattern})$`);
  if (!pattern.ok)
    return wrong('input-pattern', `cannot be checked: pattern ${spec.pattern}: ${pattern.message}`);
  if (pattern.test(value)) return undefined;
  const [example] = spec.examples ?? [];
  const hint = example === undefined ? undefined : `for example ${describe(example)}`;
  return wrong('input-pattern', `is ${describe(value)}, which does not match ${spec.pattern}`, hint);
}

function checkRange(spec: InputSpec, value: Json): CheckedValue | undefined {
  if (spec.type === 'string' && typeof value === 'string') return checkSize(spec, [...value].length);
  const size = measure(spec.type, value);
  if (size === undefined) return undefined;
  const { min, max } = spec;
  if (min !== undefined && size < (measure(spec.type, min) ?? Number.NEGATIVE_INFINITY))
    return wrong('input-range', `is ${describe(value)}, less than ${min}`);
  if (max !== undefined && size > (measure(spec.type, max) ?? Number.POSITIVE_INFINITY))
    return wrong('input-range', `is ${describe(value)}, more than ${max}`);
  return undefined;
}

function checkSize(spec: InputSpec, size: number): CheckedValue | undefined {
  const unit = spec.type === 'string' ? 'characters' : spec.type === 'map' ? 'entries' : 'elements';
  if (spec.min !== undefined && size < Number(spec.min))
    return wrong('input-range', `has ${size} ${unit}; at least ${spec.min} are needed`);
  if (spec.max !== undefined && size > Number(spec.max))
    return wrong('input-range', `has ${size} ${unit}; at most ${spec.max} are allowed`);
  return undefined;
}

/** What `min` and `max` compare: a number as it is, a duration in milliseconds. */
export function measure(type: InputType, value: Json): number | undefined {
  if (type === 'duration') return typeof value === 'string' ? parseDuration(value) : undefined;
  return typeof value === 'number' ? value : undefined;
}

function readCollection(
  spec: InputSpec,
  text: string,
  services: ServiceNames | undefined,
  build: (elements: readonly Json[]) => Json | undefined,
): CheckedValue {
  const [opening, form] = spec.type === 'list' ? ['[', 'a,b'] : ['{', 'key=value,key=value'];
  const malformed = wrong('input-type', `is ${describe(text)}, not a ${spec.type}`, `write ${form} or JSON`);
  if (text.trimStart().startsWith(opening)) {
    try {
      return checkInputValue(spec, JSON.parse(text) as Json, services);
    } catch {
      return malformed;
    }
  }
  const parts = text.trim() === '' ? [] : text.split(',').map((part) => part.trim());
  const value = build(spec.type === 'list' ? parts.map((part) => scalarOf(spec.of, part)) : parts);
  return value === undefined ? malformed : checkInputValue(spec, value, services);
}

function scalarOf(type: InputSpec['of'], text: string): Json {
  if (type === 'integer' || type === 'number') return numberOf(text) ?? text;
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function numberOf(text: string): number | undefined {
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

/** A value in a message: short, in quotes when it is text. */
function describe(value: Json): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

function known(value: Json): CheckedValue {
  return { ok: true, value };
}

function wrong(
  code: ValueProblem['code'],
  message: string,
  hint?: string,
): CheckedValue & { readonly ok: false } {
  return { ok: false, problem: hint === undefined ? { code, message } : { code, message, hint } };
}

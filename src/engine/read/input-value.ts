import { valueProblem } from '../input-value.ts';
import type { Json, JsonObject } from '../json.ts';
import { nameHint } from '../suggest.ts';
import type { InputSpec } from './runbook.ts';

/** The service inventory as inputs need it: by name or alias. */
export interface ServiceNames {
  find(name: string): JsonObject | undefined;
  readonly names: readonly string[];
}

/** What is wrong with a value, without the input's name: 'is not a whole number'. */
export interface ValueProblem {
  readonly code: 'input-value' | 'input-service';
  readonly message: string;
  readonly hint?: string;
}

export type CheckedValue =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly problem: ValueProblem };

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
  if (spec.type === 'secret') return wrong('input-value', 'is a secret, which has a source and no value');
  const problem = valueProblem(value, spec);
  if (problem !== undefined) {
    const { message, hint, path } = problem;
    const found: ValueProblem = { code: 'input-value', message, ...(hint === undefined ? {} : { hint }) };
    const [key] = path;
    if (key === undefined) return { ok: false, problem: found };
    return elementProblem(spec.type === 'list' ? `element ${Number(key) + 1}` : `entry "${key}"`, found);
  }
  const named = spec.type === 'service' || spec.of === 'service';
  return named && services !== undefined ? resolveServices(spec, value, services) : known(value);
}

function resolveServices(spec: InputSpec, value: Json, services: ServiceNames): CheckedValue {
  if (Array.isArray(value) && spec.type === 'list') {
    const entries = value.map((name: Json) => resolveService(name, services));
    const bad = entries.findIndex((entry) => !entry.ok);
    const failed = entries[bad];
    if (failed?.ok === false) return elementProblem(`element ${bad + 1}`, failed.problem);
    return known(entries.flatMap((entry) => (entry.ok ? [entry.value] : [])));
  }
  if (spec.type !== 'map' || typeof value !== 'object' || value === null)
    return resolveService(value, services);
  const entries: [string, Json][] = [];
  for (const [key, name] of Object.entries(value)) {
    const entry = resolveService(name, services);
    if (!entry.ok) return elementProblem(`entry "${key}"`, entry.problem);
    entries.push([key, entry.value]);
  }
  return known(Object.fromEntries(entries));
}

function resolveService(name: Json, services: ServiceNames): CheckedValue {
  const text = String(name);
  const entry = services.find(text);
  if (entry !== undefined) return known(entry);
  return wrong(
    'input-service',
    `is "${text}", not a service of the inventory`,
    nameHint(text, services.names, 'services'),
  );
}

function elementProblem(element: string, problem: ValueProblem): CheckedValue {
  return { ok: false, problem: { ...problem, message: `in ${element} ${problem.message}` } };
}

function readCollection(
  spec: InputSpec,
  text: string,
  services: ServiceNames | undefined,
  build: (elements: readonly Json[]) => Json | undefined,
): CheckedValue {
  const [opening, form] = spec.type === 'list' ? ['[', 'a,b'] : ['{', 'key=value,key=value'];
  const malformed = wrong('input-value', `is not a ${spec.type}`, `write ${form} or JSON`);
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

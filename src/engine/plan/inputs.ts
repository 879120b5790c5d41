import type { Json } from '../json.ts';
import { type CheckedValue, checkInputValue, readInputText, type ServiceNames } from '../read/input-value.ts';
import type { InputSpec } from '../read/runbook.ts';
import { sourceWords } from '../read/secret-source.ts';
import { nameHint } from '../suggest.ts';
import type { PlannedInput } from './plan.ts';

export type { ServiceNames } from '../read/input-value.ts';

/** What the operator gave. A flag wins over the file. */
export interface GivenInputs {
  /** Each `--input k=v`, as written. */
  readonly flags: readonly string[];
  /** The content of `--inputs-file`. */
  readonly file?: Json;
}

export interface InputEnvironment {
  readonly services: ServiceNames;
  /** Values for inputs that nobody gave and that have no default: the sandbox knows some. */
  readonly fallback?: Readonly<Record<string, Json>>;
}

export interface InputProblem {
  /** Name of the input; empty when the fault is not about one. */
  readonly input: string;
  readonly code:
    | 'input-unknown'
    | 'input-missing'
    | 'input-given-twice'
    | 'input-secret-given'
    | 'input-syntax'
    | 'input-value'
    | 'input-service';
  readonly message: string;
  readonly hint?: string;
}

export type ResolvedInputs =
  | { readonly ok: true; readonly inputs: Readonly<Record<string, PlannedInput>> }
  | { readonly ok: false; readonly problems: readonly InputProblem[] };

interface Given {
  readonly texts: ReadonlyMap<string, string>;
  readonly values: ReadonlyMap<string, Json>;
}

/**
 * Typed values for all inputs of a runbook, or every problem at once. A secret stays its source: its value is never
 * taken from a flag or a file of inputs, and never part of a message. Optional inputs that nobody gave are left out.
 */
export function resolveInputs(
  specs: Readonly<Record<string, InputSpec>>,
  given: GivenInputs,
  environment: InputEnvironment,
): ResolvedInputs {
  const problems: InputProblem[] = [];
  const found: Given = {
    texts: readFlags(given.flags, specs, problems),
    values: readFile(given.file, problems),
  };
  for (const name of new Set([...found.texts.keys(), ...found.values.keys()]))
    if (!Object.hasOwn(specs, name)) problems.push(unknown(name, specs));
  const inputs: [string, PlannedInput][] = [];
  for (const [name, spec] of Object.entries(specs)) {
    const resolved = resolveInput(name, spec, found, environment);
    if (resolved === undefined) continue;
    if ('code' in resolved) problems.push(resolved);
    else inputs.push([name, resolved]);
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, inputs: Object.fromEntries(inputs) };
}

function resolveInput(
  name: string,
  spec: InputSpec,
  given: Given,
  environment: InputEnvironment,
): PlannedInput | InputProblem | undefined {
  const text = given.texts.get(name);
  const value = given.values.get(name);
  if (spec.type === 'secret') return resolveSecret(name, spec, text !== undefined || value !== undefined);
  const { services } = environment;
  const fallback = environment.fallback;
  const planned = (checked: CheckedValue, byOperator: boolean): PlannedInput | InputProblem => {
    if (!checked.ok) return problemOf(name, checked.problem);
    if (checked.value === '' && spec.required === true) return missing(name, spec, 'is empty');
    return {
      type: spec.type as Exclude<InputSpec['type'], 'secret'>,
      value: checked.value,
      given: byOperator,
    };
  };
  if (text !== undefined) return planned(readInputText(spec, text, services), true);
  if (value !== undefined) return planned(checkInputValue(spec, value, services), true);
  if (spec.default !== undefined) return planned(checkInputValue(spec, spec.default, services), false);
  if (fallback !== undefined && Object.hasOwn(fallback, name))
    return planned(checkInputValue(spec, fallback[name] ?? null, services), false);
  return spec.required === true ? missing(name, spec, 'is required') : undefined;
}

function resolveSecret(
  name: string,
  spec: InputSpec,
  given: boolean,
): PlannedInput | InputProblem | undefined {
  if (given)
    return {
      input: name,
      code: 'input-secret-given',
      message: `the input "${name}" is a secret, and a secret is never given as a value: it would stay in the shell's history, in process lists or in a file`,
      hint:
        spec.from === undefined
          ? 'name its source in the runbook'
          : `provide it where the runbook reads it: ${sourceWords(spec.from)}`,
    };
  return spec.from === undefined ? undefined : { type: 'secret', from: spec.from };
}

function readFlags(
  flags: readonly string[],
  specs: Readonly<Record<string, InputSpec>>,
  problems: InputProblem[],
): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const flag of flags) {
    const equals = flag.indexOf('=');
    const name = flag.slice(0, Math.max(equals, 0));
    if (equals < 1) {
      const known = Object.hasOwn(specs, flag) ? flag : 'name';
      problems.push({
        input: '',
        code: 'input-syntax',
        message: '--input needs a name and a value',
        hint: `write --input ${known}=value`,
      });
    } else if (texts.has(name))
      problems.push({
        input: name,
        code: 'input-given-twice',
        message: `the input "${name}" is given twice`,
        hint: 'several elements of a list are written --input name=a,b',
      });
    else texts.set(name, flag.slice(equals + 1));
  }
  return texts;
}

function readFile(file: Json | undefined, problems: InputProblem[]): ReadonlyMap<string, Json> {
  if (file === undefined) return new Map();
  if (typeof file === 'object' && file !== null && !Array.isArray(file)) return new Map(Object.entries(file));
  problems.push({
    input: '',
    code: 'input-syntax',
    message: 'the inputs file holds no map of names to values',
    hint: 'write a line "name: value" for each input',
  });
  return new Map();
}

function unknown(name: string, specs: Readonly<Record<string, InputSpec>>): InputProblem {
  const hint = nameHint(name, Object.keys(specs), 'inputs') ?? 'this runbook has no inputs';
  return { input: name, code: 'input-unknown', message: `there is no input "${name}"`, hint };
}

function missing(name: string, spec: InputSpec, why: string): InputProblem {
  const [example] = spec.examples ?? [];
  const shown = typeof example === 'string' || typeof example === 'number' ? String(example) : '…';
  return {
    input: name,
    code: 'input-missing',
    message: `the input "${name}" ${why}: ${spec.description}`,
    hint: `give it with --input ${name}=${shown}`,
  };
}

function problemOf(
  name: string,
  {
    code,
    message,
    hint,
  }: { readonly code: InputProblem['code']; readonly message: string; readonly hint?: string },
): InputProblem {
  return {
    input: name,
    code,
    message: `the input "${name}" ${message}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

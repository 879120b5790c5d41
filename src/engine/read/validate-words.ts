import type { ErrorObject } from 'ajv';
import type { SchemaNode } from '../step-schema.ts';
import { suggest } from '../suggest.ts';
import { type Problem, shorten, type Tree } from './tree.ts';

interface Subject {
  readonly tree: Tree;
  /** The key in front of the value. */
  readonly name: string | undefined;
  /** The value as written. */
  readonly source: string;
}

/** What is wrong with one value, and what to write instead. */
export function describeError(error: ErrorObject, subject: Subject): Problem {
  const schema = (error.parentSchema ?? {}) as SchemaNode;
  const what = subject.name === undefined ? 'this value' : `"${subject.name}"`;
  switch (error.keyword) {
    case 'type':
      return wrongType(error, subject, what);
    case 'const':
      return choice([(error.params as { allowedValue: unknown }).allowedValue], subject, what);
    case 'enum':
      return choice((error.params as { allowedValues: readonly unknown[] }).allowedValues, subject, what);
    case 'pattern':
      return wrongForm(schema, error, subject, what);
    case 'minLength':
    case 'minItems':
    case 'minProperties':
      return tooFew(schema, error, what);
    case 'maxLength':
    case 'maxItems':
    case 'maxProperties': {
      const { limit } = error.params as { limit: number };
      return { code: 'out-of-range', message: `${what} takes ${limit} at most`, hint: schema.description };
    }
    case 'false schema':
      return misplaced(subject);
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum': {
      const { comparison, limit } = error.params as { comparison: string; limit: number };
      const bound = comparison.startsWith('>') ? 'at least' : 'at most';
      return {
        code: 'out-of-range',
        message: `${what} has to be ${comparison.endsWith('=') ? bound : comparison} ${limit}, and is ${shorten(subject.source)}`,
        hint: `write ${limit}${comparison.startsWith('>') ? ' or more' : ' or less'}`,
      };
    }
    case 'uniqueItems':
      return {
        code: 'duplicate-item',
        message: `${what} holds the same item twice`,
        hint: 'keep one of them',
      };
    default:
      return {
        code: 'wrong-value',
        message: `${what} ${error.message ?? 'does not fit'}`,
        hint: schema.description,
      };
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  object: 'a map of keys',
  array: 'a list',
  null: 'nothing',
};

function wrongType(error: ErrorObject, { tree, source }: Subject, what: string): Problem {
  const wanted = [(error.params as { type: string | readonly string[] }).type].flat();
  const names = wanted.map((type) => typeNames[type] ?? type).join(' or ');
  const absent = tree.kind === 'scalar' && tree.value === null && !/null|~/i.test(source);
  return {
    code: 'wrong-type',
    message: absent
      ? `${what} has no value; it takes ${names}`
      : `${what} takes ${names}, not ${kindOf(tree)}`,
    hint: typeHint(wanted, tree, source),
  };
}

function kindOf(tree: Tree): string {
  if (tree.kind !== 'scalar') return tree.kind === 'list' ? 'a list' : 'a map';
  if (tree.value === null) return 'null';
  if (typeof tree.value === 'boolean') return `${tree.value}`;
  return typeof tree.value === 'number' ? `the number ${tree.value}` : `the text "${shorten(tree.value)}"`;
}

function typeHint(wanted: readonly string[], tree: Tree, source: string): string | undefined {
  if (tree.kind === 'scalar' && tree.value === null)
    return 'write a value after the colon, or remove the key';
  if (wanted.includes('string') && tree.kind === 'scalar') return `write "${shorten(source)}" in quotes`;
  if (wanted.includes('array') && tree.kind === 'scalar')
    return `write [${shorten(source)}] for a list of one`;
  if (wanted.includes('boolean') && typeof (tree as { value?: unknown }).value === 'string') {
    const word = String((tree as { value: unknown }).value).toLowerCase();
    if (/^(yes|on|y)$/.test(word)) return 'write true';
    if (/^(no|off|n)$/.test(word)) return 'write false';
    return 'write true or false, without quotes';
  }
  const number = wanted.includes('integer') || wanted.includes('number');
  if (number && tree.kind === 'scalar') {
    const digits = /^\d+(\.\d+)?$/.exec(String(tree.value))?.[0];
    return digits === undefined || (digits.includes('.') && !wanted.includes('number'))
      ? 'write digits, without a unit'
      : `write ${digits} without quotes`;
  }
  if (wanted.includes('array')) return 'start each item with "- "';
  return wanted.includes('object') ? 'write keys with values, each on a line of its own' : undefined;
}

function choice(allowed: readonly unknown[], { tree, source }: Subject, what: string): Problem {
  const texts = allowed.map(String);
  const near = tree.kind === 'scalar' ? suggest(String(tree.value), texts) : undefined;
  const found = tree.kind === 'scalar' ? `"${shorten(source)}"` : kindOf(tree);
  const list = texts.length === 1 ? texts[0] : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`;
  return {
    code: 'wrong-value',
    message: `${what} has to be ${list}, not ${found}`,
    hint:
      near === undefined
        ? `write ${texts.length === 1 ? texts[0] : 'one of them'}`
        : `did you mean "${near}"?`,
  };
}

const forms: Readonly<Record<string, readonly [code: string, form: string, hint: string]>> = {
  id: [
    'bad-id',
    'is no id',
    'a lowercase letter, then letters, digits and underscores; not true, false, null or in',
  ],
  as: [
    'bad-id',
    'cannot name an element',
    'a lowercase letter, then letters, digits and underscores; no word of CEL, and not inputs, steps, run or outputs',
  ],
  'secret-env': [
    'bad-name',
    'is not read as a source of secrets',
    'RUNBOOK_SECRET_ and a name of your own, or BAO_TOKEN or VAULT_TOKEN: child processes inherit all others',
  ],
  'runbook-name': ['bad-name', 'is no name', 'lowercase letters, digits and dashes'],
};

function wrongForm(schema: SchemaNode, error: ErrorObject, { source }: Subject, what: string): Problem {
  const kind = schema['x-kind'] ?? '';
  const known = forms[kind];
  if (known === undefined)
    return {
      code: 'wrong-value',
      message: `${what} does not have the right form: ${shorten(source)}`,
      hint: schema.description ?? `it has to match ${(error.params as { pattern: string }).pattern}`,
    };
  const [code, form, hint] = known;
  const written = source.replace(/^(['"])(.*)\1$/, '$2');
  const fixed = repaired(kind, written);
  return {
    code,
    message: `"${shorten(written)}" ${form}`,
    hint: fixed === undefined ? hint : `${hint}: "${fixed}"`,
  };
}

/** The nearest text that has the form. */
function repaired(kind: string, text: string): string | undefined {
  if (kind === 'secret-env') return /^\w+$/.test(text) ? `RUNBOOK_SECRET_${text.toUpperCase()}` : undefined;
  if (kind === 'runbook-name') {
    const name = text
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, '-')
      .replace(/^-+|-+$/g, '');
    return name === '' ? undefined : name;
  }
  const words = text.split(/[^a-zA-Z0-9_]+/).filter((word) => word !== '');
  const camel = words.map((word, index) => (index === 0 ? lowerFirst(word) : upperFirst(word))).join('');
  return /^[a-z]/.test(camel) && camel !== text ? camel : undefined;
}

function lowerFirst(word: string): string {
  return word.slice(0, 1).toLowerCase() + word.slice(1);
}

function upperFirst(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

function tooFew(schema: SchemaNode, error: ErrorObject, what: string): Problem {
  const { limit } = error.params as { limit: number };
  if (limit > 1)
    return { code: 'out-of-range', message: `${what} needs at least ${limit}`, hint: schema.description };
  const kind = schema['x-kind'];
  const target = kind !== undefined && /^(namespace|name|container|selector)$/.test(kind);
  return {
    code: 'empty-value',
    message: `${what} is empty`,
    hint: target ? `write the ${kind}: nothing is taken for granted` : 'write at least one character or item',
  };
}

function misplaced({ name }: Subject): Problem {
  return {
    code: 'misplaced-key',
    message: `"${name ?? ''}" does not belong to a group of steps`,
    hint: name === 'uses' ? 'keep "uses" or "steps", not both' : 'write it at the steps inside',
  };
}

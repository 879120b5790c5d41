import {
  type Node,
  type Path,
  parseWithoutProcessing,
} from 'handlebars/dist/cjs/handlebars/compiler/base.js';
import { nameHint } from './suggest.ts';
import { type Helper, helpers } from './template-helpers.ts';

export interface TemplateReference {
  readonly path: readonly string[];
  /** Offsets into the template's text. */
  readonly start: number;
  readonly end: number;
}

export interface TemplateProblem {
  readonly ok: false;
  readonly message: string;
  readonly start: number;
  readonly end: number;
  readonly hint?: string;
}

export type ParsedTemplate =
  | { readonly ok: true; readonly references: readonly TemplateReference[]; readonly exact: boolean }
  | TemplateProblem;

export type Segment =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'expression';
      readonly reference: TemplateReference;
      readonly helper: Helper | undefined;
    };

interface Template {
  readonly parsed: ParsedTemplate;
  readonly segments: readonly Segment[];
}

const form = 'write {{inputs.name}} or {{steps.id.outputs.name}}';
const cache = new Map<string, Template>();
const cacheLimit = 20_000;

/** The template of a text, from a bounded cache: the same `with` is rendered many times. */
export function parsedTemplate(text: string): Template {
  const known = cache.get(text);
  if (known !== undefined) return known;
  if (cache.size >= cacheLimit) cache.clear();
  const template = parse(text);
  cache.set(text, template);
  return template;
}

function parse(text: string): Template {
  const segments: Segment[] = [];
  let literal = '';
  let position = 0;
  for (let open = text.indexOf('{{'); open !== -1; open = text.indexOf('{{', position)) {
    if (text[open - 1] === '\\' && open > position) {
      literal += `${text.slice(position, open - 1)}{{`;
      position = open + 2;
      continue;
    }
    literal += text.slice(position, open);
    const end = expressionEnd(text, open);
    if (typeof end !== 'number') return { parsed: end, segments: [] };
    const segment = parseExpression(text, open, end);
    if ('ok' in segment) return { parsed: segment, segments: [] };
    if (literal !== '') segments.push({ kind: 'text', text: literal });
    segments.push(segment);
    literal = '';
    position = end;
  }
  literal += text.slice(position);
  if (literal !== '') segments.push({ kind: 'text', text: literal });
  const references = segments.flatMap((segment) =>
    segment.kind === 'expression' ? [segment.reference] : [],
  );
  const exact = segments.length === 1 && references.length === 1;
  return { parsed: { ok: true, references, exact }, segments };
}

/** The offset after the `}}` that closes the expression at `open`, or what is wrong with its brackets. */
function expressionEnd(text: string, open: number): number | TemplateProblem {
  if (text.startsWith('{{{', open))
    return problem(
      [open, open + 3],
      '{{{ is not part of our templates: nothing is escaped here',
      'write {{…}} with two braces',
    );
  const close = closing(text, open + 2);
  const next = text.indexOf('{{', open + 2);
  if (close === -1 || (next !== -1 && next < close)) {
    const end = Math.min(next === -1 ? text.length : next, lineEnd(text, open));
    return problem(
      [open, end],
      'this {{ is never closed',
      'close it with }}, or write \\{{ for a literal {{',
    );
  }
  if (text.startsWith('}}}', close))
    return problem([close, close + 3], 'one } too many', 'close the expression with }}');
  return close + 2;
}

/** Offset of the closing `}}`, not counting braces inside `[…]`. */
function closing(text: string, from: number): number {
  let position = from;
  while (position < text.length) {
    if (text[position] === '[') {
      const bracket = text.indexOf(']', position);
      if (bracket === -1) return -1;
      position = bracket + 1;
    } else if (text.startsWith('}}', position)) return position;
    else position += 1;
  }
  return -1;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}

function parseExpression(text: string, open: number, end: number): Segment | TemplateProblem {
  const source = text.slice(open, end);
  const whole: readonly [number, number] = [open, end];
  const foreign = foreignSyntax(source);
  if (foreign !== undefined) return problem(whole, ...foreign);
  let body: readonly Node[];
  try {
    body = parseWithoutProcessing(source).body;
  } catch {
    return problem(whole, `${source} is not a reference`, indexHint(source) ?? form);
  }
  const [node] = body;
  if (
    body.length !== 1 ||
    node?.type !== 'MustacheStatement' ||
    node.path === undefined ||
    node.hash !== undefined
  )
    return problem(whole, `${source} is not a reference`, form);
  const params = node.params ?? [];
  if (params.length === 0) return reference(node.path, source, open, undefined);
  const name = String(node.path.original);
  const helper = helpers.find((candidate) => candidate.name === name);
  if (helper === undefined)
    return problem(
      whole,
      `${source} is not a reference: two names, and "${name}" is no function`,
      nameHint(
        name,
        helpers.map((candidate) => candidate.name),
        'functions',
      ),
    );
  const [argument] = params;
  if (params.length !== 1 || argument === undefined)
    return problem(whole, `${name} takes one reference`, `write {{${name} inputs.name}}`);
  return reference(argument, source, open, helper);
}

function reference(
  path: Path,
  source: string,
  open: number,
  helper: Helper | undefined,
): Segment | TemplateProblem {
  const start = open + offsetOf(source, path.loc.start);
  const written = writtenPath(source, start - open);
  const range: readonly [number, number] = [start, start + written.length];
  if (path.type !== 'PathExpression' || path.parts === undefined || path.parts.length === 0)
    return problem(range, `${written} is a constant, not a reference`, form);
  if (path.data === true || path.depth !== 0 || /^(\.|this\b)/.test(written))
    return problem(range, `${written} is not a reference: names start at inputs, steps or run`, form);
  if (written.replace(/\[[^\]]*\]/g, '').includes('/'))
    return problem(range, `${written}: names are separated by dots`, `write ${written.replaceAll('/', '.')}`);
  return {
    kind: 'expression',
    reference: { path: path.parts, start, end: range[1] },
    helper,
  };
}

/** `list.0` and `list[0]` are natural to write; Handlebars wants `list.[0]`. */
function indexHint(source: string): string | undefined {
  const indexed = source.replace(/(?:\.(\d+)|(?<!\.)\[(\d+)\])(?=[.\s[}])/g, '.[$1$2]');
  return indexed === source ? undefined : `an element of a list is written ${indexed}`;
}

/** Handlebars syntax that templates here do not have: a message and a hint. */
function foreignSyntax(source: string): readonly [string, string] | undefined {
  const inner = source.slice(2, -2).trim();
  const decide = 'templates only insert values; decide with "when" or a CEL expression';
  if (inner === '') return ['an empty expression', form];
  if (source.startsWith('{{~') || source.endsWith('~}}')) return ['~ is not part of our templates', form];
  if (/^[#^/]/.test(inner) || inner === 'else') return [`blocks such as ${source} do not exist here`, decide];
  if (inner.startsWith('!')) return ['comments do not exist in templates', 'use a YAML comment (#)'];
  if (inner.startsWith('>'))
    return ['partials do not exist in templates', 'use uses: ./other.yaml to reuse steps'];
  if (inner.startsWith('&')) return ['& is not part of our templates: nothing is escaped here', form];
  if (inner.startsWith('*')) return ['decorators do not exist in templates', form];
  if (inner.includes('(')) return [`${source}: templates have no nested calls`, decide];
  return undefined;
}

/** The path as written, from `start` to the next blank or brace outside `[…]`. */
function writtenPath(source: string, start: number): string {
  return /^(?:\[[^\]]*\]|[^\s}])+/.exec(source.slice(start))?.[0] ?? '';
}

function offsetOf(source: string, position: { readonly line: number; readonly column: number }): number {
  let start = 0;
  for (let line = 1; line < position.line; line++) start = nextLine(source, start);
  return start + position.column;
}

/** Handlebars counts \r\n, \n and lone \r as line ends. */
function nextLine(source: string, from: number): number {
  const match = /\r\n?|\n/.exec(source.slice(from));
  return match === null ? source.length : from + match.index + match[0].length;
}

function problem(range: readonly [number, number], message: string, hint?: string): TemplateProblem {
  const [start, end] = range;
  return { ok: false, message, start, end, ...(hint === undefined ? {} : { hint }) };
}

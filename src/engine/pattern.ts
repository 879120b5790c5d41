import { isWord, PatternError, type PatternNode, parsePattern } from './pattern-syntax.ts';

export type Pattern =
  | { readonly ok: true; test(text: string): boolean }
  | { readonly ok: false; readonly message: string };

type Instruction =
  | { readonly op: 'character'; readonly test: (codePoint: number) => boolean }
  | { readonly op: 'assertion'; readonly name: (PatternNode & { readonly kind: 'assertion' })['name'] }
  | { readonly op: 'split'; first: number; second: number }
  | { readonly op: 'match' };

const maxLength = 1000;
const maxInstructions = 5000;

const cache = new Map<string, Pattern>();
const cacheLimit = 1000;

/**
 * A regular expression with the syntax of RE2 (no look-around, no back references), found anywhere in a text. Takes
 * time in proportion to text × pattern whatever both are: patterns and texts come from runbooks and logs.
 */
export function compilePattern(source: string): Pattern {
  const known = cache.get(source);
  if (known !== undefined) return known;
  if (cache.size >= cacheLimit) cache.clear();
  const pattern = compile(source);
  cache.set(source, pattern);
  return pattern;
}

function compile(source: string): Pattern {
  if (source.length > maxLength) return { ok: false, message: `longer than ${maxLength} characters` };
  try {
    const program: Instruction[] = [];
    emit(parsePattern(source), program);
    program.push({ op: 'match' });
    return { ok: true, test: (text) => run(program, text) };
  } catch (error) {
    if (error instanceof PatternError) return { ok: false, message: error.message };
    throw error;
  }
}

function emit(node: PatternNode, program: Instruction[]): void {
  if (program.length > maxInstructions)
    throw new PatternError('its repetitions multiply to too large a pattern');
  switch (node.kind) {
    case 'character':
      program.push({ op: 'character', test: node.test });
      return;
    case 'assertion':
      program.push({ op: 'assertion', name: node.name });
      return;
    case 'sequence':
      for (const part of node.parts) emit(part, program);
      return;
    case 'choice':
      emitChoice(node.parts, program);
      return;
    case 'repeat':
      emitRepeat(node, program);
      return;
    default:
  }
}

function emitChoice(parts: readonly PatternNode[], program: Instruction[]): void {
  const [part, ...others] = parts;
  if (part === undefined) return;
  if (others.length === 0) {
    emit(part, program);
    return;
  }
  const fork = emitSplit(program);
  emit(part, program);
  const leave = emitSplit(program);
  fork.second = program.length;
  emitChoice(others, program);
  leave.first = program.length;
  leave.second = program.length;
}

function emitRepeat(node: PatternNode & { readonly kind: 'repeat' }, program: Instruction[]): void {
  for (let count = 0; count < node.min; count++) emit(node.part, program);
  if (node.max === Infinity) {
    const start = program.length;
    const fork = emitSplit(program);
    emit(node.part, program);
    const back = emitSplit(program);
    back.first = start;
    back.second = start;
    fork.second = program.length;
    return;
  }
  const forks = Array.from({ length: node.max - node.min }, () => {
    const fork = emitSplit(program);
    emit(node.part, program);
    return fork;
  });
  for (const fork of forks) fork.second = program.length;
}

/** Goes on behind itself, or where `second` will be set to. */
function emitSplit(program: Instruction[]): Instruction & { readonly op: 'split' } {
  const split = { op: 'split', first: program.length + 1, second: program.length + 1 } as const;
  const instruction: Instruction & { readonly op: 'split' } = { ...split };
  program.push(instruction);
  return instruction;
}

/** All ways through the program at once, one character at a time. */
function run(program: readonly Instruction[], text: string): boolean {
  const seen = new Int32Array(program.length).fill(-1);
  let current: number[] = [];
  let position = 0;
  let before: number | undefined;
  for (let step = 0; ; step++) {
    const code = text.codePointAt(position);
    const ready: number[] = [];
    const pending = [0, ...current.reverse()];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (seen[at] === step) continue;
      seen[at] = step;
      const instruction = program[at];
      if (instruction?.op === 'match') return true;
      if (instruction?.op === 'split') pending.push(instruction.second, instruction.first);
      else if (instruction?.op === 'assertion' && holds(instruction.name, before, code)) pending.push(at + 1);
      else if (instruction?.op === 'character') ready.push(at);
    }
    if (code === undefined) return false;
    current = ready.filter((at) => {
      const instruction = program[at];
      return instruction?.op === 'character' && instruction.test(code);
    });
    current = current.map((at) => at + 1);
    before = code;
    position += code > 0xffff ? 2 : 1;
  }
}

function holds(
  name: (PatternNode & { readonly kind: 'assertion' })['name'],
  before: number | undefined,
  after: number | undefined,
): boolean {
  const boundary = (before !== undefined && isWord(before)) !== (after !== undefined && isWord(after));
  switch (name) {
    case 'start':
      return before === undefined;
    case 'end':
      return after === undefined;
    case 'line-start':
      return before === undefined || before === 0x0a;
    case 'line-end':
      return after === undefined || after === 0x0a;
    case 'word':
      return boundary;
    default:
      return !boundary;
  }
}

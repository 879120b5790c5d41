import { StepError } from '../../engine/step-type.ts';
import type { PatternNode } from './pattern-syntax.ts';
import { isWord, PatternError, parsePattern } from './pattern-syntax.ts';

type Instruction =
  | { readonly op: 'one'; matches(character: string): boolean }
  | { readonly op: 'at'; readonly place: 'start' | 'end' | 'word-edge' }
  | { readonly op: 'fork'; first: number; second: number }
  | { readonly op: 'jump'; to: number }
  | { readonly op: 'found' };

// With the length at which log lines are cut, this bounds the work for one line.
const maxInstructions = 2000;

/** Why a regular expression is refused; undefined when it is fine. */
export function regexProblem(pattern: string): string | undefined {
  try {
    compile(pattern);
    return undefined;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

/**
 * Tells which lines are kept. A regular expression costs what the line is long times what the expression is long, whatever they
 * are: a runbook cannot hang on a log.
 */
export function lineFilter(match: string | undefined, regex: boolean): (line: string) => boolean {
  if (match === undefined) return () => true;
  if (!regex) return (line) => line.includes(match);
  const problem = regexProblem(match);
  if (problem !== undefined)
    throw new StepError('invalid-input', `match: the expression is refused: ${problem}.`, {
      outcome: 'not-applied',
      hint: 'Write a simpler expression, or a plain text without regex.',
    });
  const program = compile(match);
  return (line) => runs(program, [...line]);
}

function compile(pattern: string): readonly Instruction[] {
  if (pattern.length > 200) throw new PatternError('it is longer than 200 characters');
  const program: Instruction[] = [];
  emit(program, parsePattern(pattern));
  program.push({ op: 'found' });
  return program;
}

function emit(program: Instruction[], node: PatternNode): void {
  if (program.length > maxInstructions) throw new PatternError('it repeats too much');
  switch (node.type) {
    case 'one':
      program.push({ op: 'one', matches: node.matches });
      return;
    case 'at':
      program.push({ op: 'at', place: node.place });
      return;
    case 'all':
      for (const part of node.parts) emit(program, part);
      return;
    case 'any':
      emitOptions(program, node.options);
      return;
    case 'repeat':
      for (let count = 0; count < node.min; count++) emit(program, node.part);
      if (node.max === undefined) emitLoop(program, node.part);
      else for (let count = node.min; count < node.max; count++) emitOptions(program, [node.part, nothing]);
  }
}

const nothing: PatternNode = { type: 'all', parts: [] };

function emitOptions(program: Instruction[], options: readonly PatternNode[]): void {
  const [first, ...others] = options;
  if (first === undefined) return;
  if (others.length === 0) {
    emit(program, first);
    return;
  }
  const fork = { op: 'fork' as const, first: program.length + 1, second: 0 };
  program.push(fork);
  emit(program, first);
  const jump = { op: 'jump' as const, to: 0 };
  program.push(jump);
  fork.second = program.length;
  emitOptions(program, others);
  jump.to = program.length;
}

function emitLoop(program: Instruction[], part: PatternNode): void {
  const start = program.length;
  const fork = { op: 'fork' as const, first: start + 1, second: 0 };
  program.push(fork);
  emit(program, part);
  program.push({ op: 'jump', to: start });
  fork.second = program.length;
}

/** All places of the program at once, character by character (Thompson, "Regular Expression Search Algorithm", 1968). */
function runs(program: readonly Instruction[], line: readonly string[]): boolean {
  const seenAt = new Int32Array(program.length).fill(-1);
  let current: number[] = [];
  for (let at = 0; at <= line.length; at++) {
    const next: number[] = [];
    // A match may begin anywhere.
    const open = [...current.map((place) => place + 1), 0];
    while (open.length > 0) {
      const place = open.pop() ?? 0;
      if (seenAt[place] === at) continue;
      seenAt[place] = at;
      const instruction = program[place];
      if (instruction === undefined) continue;
      if (instruction.op === 'found') return true;
      if (instruction.op === 'jump') open.push(instruction.to);
      else if (instruction.op === 'fork') open.push(instruction.second, instruction.first);
      else if (instruction.op === 'at') {
        if (holds(instruction.place, line, at)) open.push(place + 1);
      } else if (at < line.length && instruction.matches(line[at] ?? '')) next.push(place);
    }
    current = next;
  }
  return false;
}

function holds(place: 'start' | 'end' | 'word-edge', line: readonly string[], at: number): boolean {
  if (place === 'start') return at === 0;
  if (place === 'end') return at === line.length;
  return isWord(line[at - 1] ?? '') !== isWord(line[at] ?? '');
}

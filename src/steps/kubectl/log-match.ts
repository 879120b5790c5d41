import { StepError } from '../../engine/step-type.ts';

// Each unbounded repetition multiplies the work by the length of the line in the worst case.
const maxRepetitions = 3;
const maxLine = 1024;

/** Why an expression could take too long, or is none; undefined when it is fine. */
export function regexProblem(pattern: string): string | undefined {
  if (pattern.length > 200) return 'it is longer than 200 characters';
  const plain = pattern.replace(/\\[^1-9k]/g, '_').replace(/\[(?:[^\]\\]|\\.)*\]/g, '_');
  if (/\\[1-9k]/.test(plain)) return 'it has a back reference';
  if (/\(\?(?!:)/.test(plain)) return 'it has a look-around or a named group';
  if (/\)[*+{]/.test(plain)) return 'it repeats a group';
  if ((plain.match(/[*+]|\{\d+,\}/g) ?? []).length > maxRepetitions)
    return `it has more than ${maxRepetitions} unbounded repetitions`;
  if (/\{\d{4,}/.test(plain)) return 'it repeats something a thousand times or more';
  try {
    new RegExp(pattern, 'u');
    return undefined;
  } catch {
    return 'it is not a regular expression';
  }
}

/** Tells which lines are kept. Regular expressions look at the first 1024 characters of a line. */
export function lineFilter(match: string | undefined, regex: boolean): (line: string) => boolean {
  if (match === undefined) return () => true;
  if (!regex) return (line) => line.includes(match);
  const problem = regexProblem(match);
  if (problem !== undefined)
    throw new StepError('invalid-input', `match: ${problem}.`, {
      outcome: 'not-applied',
      hint: 'Write a simpler expression, or a plain text without regex.',
    });
  const expression = new RegExp(match, 'u');
  return (line) => expression.test(line.slice(0, maxLine));
}

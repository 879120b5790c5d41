import { formatDuration, parseDuration } from '../duration.ts';
import { type Context, effectOf, report } from './context.ts';
import type { Item } from './outline.ts';
import { entryOf, jsonOf, type MapEntry, type Problem, rangeOf, textOf, valueAt } from './tree.ts';

/** What a step may not do where it stands, whatever its texts say. */
export function checkRules(context: Context, item: Item): void {
  const input = valueAt(item.tree, 'with');
  const effect = effectOf(context, item, input === undefined ? {} : jsonOf(input));
  const on = (key: string, problem: Problem) => {
    const entry = entryOf(item.tree, key);
    if (entry !== undefined) report(context, entry.keyRange, problem);
  };
  repetition(item, on);
  if (item.kind === 'include') includeKeys(item, on);
  if (item.kind === 'step') repeating(context, item, on);
  if (effect === 'change') changing(context, item, on);
  if (effect === 'read') reading(item, on);
  partlyUndone(context, item);
  readOnlyPlace(context, item, effect === 'change' ? describeUse(item) : changingInclude(context, item));
}

type On = (key: string, problem: Problem) => void;

function repetition(item: Item, on: On): void {
  if (entryOf(item.tree, 'forEach') !== undefined) return;
  for (const key of ['as', 'key'])
    on(key, {
      code: 'misplaced-key',
      message: `"${key}" has no meaning without "forEach"`,
      hint: 'add forEach: …, or remove the key',
    });
  if (item.kind !== 'group')
    on('parallel', {
      code: 'misplaced-key',
      message: '"parallel" has no meaning for a single step',
      hint: 'it belongs to a group ("steps") or to "forEach"',
    });
}

function includeKeys(item: Item, on: On): void {
  const instead: Readonly<Record<string, string>> = {
    expect: 'verifications of that runbook',
    until: 'the steps of that runbook',
    retry: 'the steps of that runbook',
    timeout: 'the steps of that runbook',
    verify: 'verifications of that runbook',
    rollback: 'rollback of that runbook',
  };
  for (const [key, place] of Object.entries(instead))
    on(key, {
      code: 'misplaced-key',
      message: `"${key}" does not belong to a step that includes another runbook`,
      hint: `write it in ${place} (${item.uses})`,
    });
}

/** `until` and `retry`, where they make no sense. */
function repeating(context: Context, item: Item, on: On): void {
  const until = valueAt(item.tree, 'until');
  if (until !== undefined && entryOf(item.tree, 'expect') === undefined)
    on('until', {
      code: 'until-without-expect',
      message: '"until" repeats a step until "expect" holds, and there is no "expect"',
      hint: 'add expect: outputs.…',
    });
  const length = (key: string) =>
    parseDuration(textOf(until === undefined ? undefined : valueAt(until, key)) ?? '');
  const [within, every] = [length('within'), length('every')];
  if (until !== undefined && within !== undefined && every !== undefined && every > within)
    report(context, valueAt(until, 'every')?.range ?? until.range, {
      code: 'out-of-range',
      message: '"every" is longer than "within": the step would never be repeated',
      hint: `write ${formatDuration(within)} or less`,
    });
  const retry = valueAt(item.tree, 'retry');
  const delay = (key: string) =>
    parseDuration(textOf(retry === undefined ? undefined : valueAt(retry, key)) ?? '');
  const [first, longest] = [delay('delay'), delay('maxDelay')];
  if (retry !== undefined && first !== undefined && longest !== undefined && first > longest)
    report(context, valueAt(retry, 'maxDelay')?.range ?? retry.range, {
      code: 'out-of-range',
      message: '"maxDelay" is shorter than "delay"',
      hint: `write ${formatDuration(first)} or more`,
    });
}

function changing(context: Context, item: Item, on: On): void {
  on('until', {
    code: 'until-on-change',
    message: `"until" repeats reading steps only, and ${item.uses} changes something`,
    hint: 'wait with a reading step behind it, or in "verify"; "retry" repeats failed changes',
  });
  const uses = entryOf(item.tree, 'uses');
  if (entryOf(item.tree, 'timeout') !== undefined || uses === undefined) return;
  const standard = context.steps.get(item.uses)?.timeout;
  report(context, uses.value.range, {
    code: 'missing-timeout',
    severity: 'warning',
    message: `${item.uses} changes something and has no timeout of its own`,
    hint:
      standard === undefined
        ? 'say how long it may take: timeout: 5m'
        : `say how long it may take; without, it is ${formatDuration(standard)}: timeout: ${formatDuration(standard)}`,
  });
}

/** `rollback: {undo: true, …}` stands for the undo of a step type: there must be one. */
function partlyUndone(context: Context, item: Item): void {
  const rollback = valueAt(item.tree, 'rollback');
  const entry = rollback === undefined ? undefined : entryOf(rollback, 'undo');
  if (entry === undefined) return;
  const type = item.kind === 'step' ? context.steps.get(item.uses) : undefined;
  if (type?.effect === 'change' && typeof type.undo === 'function') return;
  report(context, entry.keyRange, {
    code: 'nothing-to-undo',
    message:
      item.kind === 'step'
        ? `"undo: true" stands for the undo of ${item.uses}, which has none`
        : '"undo: true" stands for the undo of a step type, and this is no single step',
    hint: 'leave undo out: rollback: {irreversible: …}',
  });
}

function reading(item: Item, on: On): void {
  on('rollback', {
    code: 'misplaced-key',
    message: `${item.uses} changes nothing, so there is nothing to roll back`,
    hint: 'remove "rollback", or write it at the step that changes something',
  });
  on('verify', {
    code: 'misplaced-key',
    message: `${item.uses} changes nothing, so there is no effect to verify`,
    hint: 'write "expect", or "verify" at the step that changes something',
  });
}

function describeUse(item: Item): string {
  return `${item.uses} changes something`;
}

function changingInclude(context: Context, item: Item): string | undefined {
  const step = item.kind === 'include' ? context.includes.get(item)?.changing : undefined;
  return step === undefined ? undefined : `${item.uses} changes something (step "${step}")`;
}

/** Preconditions, verifications and `verify` look, and change nothing. */
function readOnlyPlace(context: Context, item: Item, what: string | undefined): void {
  const uses: MapEntry | undefined = entryOf(item.tree, 'uses');
  if (what === undefined || uses === undefined) return;
  if (item.chain.some(({ place }) => place === 'undo')) return;
  const inside = item.chain.findLast(({ place }) => place === 'verify');
  const block = item.block === 'preconditions' || item.block === 'verifications' ? item.block : undefined;
  const where = inside === undefined ? block : 'verify';
  if (where === undefined) return;
  report(context, rangeOf(uses.value, uses), {
    code: 'change-in-read-only',
    message: `${what}, but "${where}" may only look`,
    hint: where === 'verify' ? 'move it to "steps"' : 'move it to "steps", or use a step type that reads',
  });
}

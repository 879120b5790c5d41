import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { nodeIdOf } from '../../src/engine/plan/instance.ts';
import { type RehearsedStep, type Way, ways } from '../../src/rehearsal/rehearsal.ts';
import { rehearseShipped } from './shipped.ts';

/** `RUNBOOK_REHEARSAL_SEED` draws another share of what is drawn; the same every time unless told, so that a change is to blame. */
export const seed = Number(process.env.RUNBOOK_REHEARSAL_SEED ?? 1);
const everything = process.env.RUNBOOK_REHEARSAL_ALL === '1';

/** Every way for the first instance of a node; of the further elements of a `forEach` one way each, drawn. */
function share(): (step: RehearsedStep, way: Way) => boolean {
  const firsts = new Map<string, string>();
  return ({ id }, way) => {
    const node = nodeIdOf(id);
    if (!firsts.has(node)) firsts.set(node, id);
    if (everything || firsts.get(node) === id) return true;
    const [drawn = 0] = createHash('sha256').update(`${seed} ${id}`).digest();
    return ways[drawn % ways.length] === way;
  };
}

/** A test for each runbook, over all the cases in which it is rehearsed. */
export function rehearseAll(
  names: readonly string[],
  more: Readonly<Record<string, readonly (readonly string[])[]>> = {},
  /** Steps that only another disturbance leads to than a failing step; each has a test of its own. */
  elsewhere: readonly string[] = [],
): void {
  test.each(names)(
    `%s: a rollback brings back what is not declared irreversible, whatever fails (RUNBOOK_REHEARSAL_SEED=${seed})`,
    { timeout: 600_000 },
    async (name) => {
      const rehearsals = [await rehearseShipped(name, { wanted: share() })];
      for (const inputs of more[name] ?? [])
        rehearsals.push(await rehearseShipped(name, { wanted: share(), inputs }));
      const rows = rehearsals.flatMap((rehearsal) => rehearsal.rows);
      const bad = rows.filter(({ verdict }) => verdict !== 'restored' && verdict !== 'kept');
      expect(
        bad.map(({ step, way, verdict, text, unrestored }) => ({ step, way, verdict, text, unrestored })),
      ).toEqual([]);
      // Every changing step of the runbook comes to its turn in one of the cases.
      const [first = []] = rehearsals.map(({ notReached }) => notReached);
      const never = first.filter((id) => rehearsals.every(({ notReached }) => notReached.includes(id)));
      expect(never.filter((id) => !elsewhere.includes(`${name} ${id}`))).toEqual([]);
      // What strikes nothing proves nothing.
      const steps = rehearsals.flatMap((rehearsal) => rehearsal.steps);
      for (const { id } of steps) {
        const struck = rows.filter((row) => row.step === id && row.struck);
        expect(struck.length, id).toBeGreaterThan(0);
      }
    },
  );
}

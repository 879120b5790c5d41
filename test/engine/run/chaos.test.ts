import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GroupNode, Node, Retry, StepNode } from '../../../src/engine/read/runbook.ts';
import { group, include, read, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { RunRig } from '../../fakes/run-rig.ts';
import type { Behaviour } from '../../fakes/run-steps.ts';

const retry: Retry = { attempts: 3, delay: '5s', backoff: 2, maxDelay: '1m' };

interface Leaf {
  readonly kind: 'change' | 'read' | 'wait';
  readonly script: readonly Behaviour[];
  readonly undo: readonly Behaviour[];
  readonly retry: boolean;
  readonly verify: boolean;
  readonly rollback: 'type' | 'steps';
  readonly onFailure: 'stop' | 'rollback' | 'continue' | undefined;
}

interface Branch {
  readonly kind: 'group' | 'include';
  readonly parallel: number;
  readonly children: readonly Shape[];
}
type Shape = Leaf | Branch;

const behaviour = fc.constantFrom<Behaviour>(
  'ok',
  'ok',
  'flaky',
  'lost',
  'slow',
  'fail',
  'idle',
  'crash',
  'crash-after',
  'half',
  'crash-half',
);
const leaf: fc.Arbitrary<Leaf> = fc.record({
  kind: fc.constantFrom('change', 'change', 'change', 'read', 'wait'),
  script: fc.array(behaviour, { maxLength: 3 }),
  undo: fc.array(fc.constantFrom<Behaviour>('ok', 'lost', 'fail', 'crash', 'crash-after'), { maxLength: 2 }),
  retry: fc.boolean(),
  verify: fc.boolean(),
  rollback: fc.constantFrom('type', 'type', 'steps'),
  onFailure: fc.constantFrom(undefined, undefined, 'stop', 'rollback', 'continue'),
});
const { list } = fc.letrec<{ list: readonly Shape[]; branch: Branch }>((tie) => ({
  branch: fc.record({
    kind: fc.constantFrom('group', 'include'),
    parallel: fc.constantFrom(0, 1, 2),
    children: tie('list'),
  }),
  list: fc.array(fc.oneof({ depthSize: 'small' }, leaf, tie('branch')), { minLength: 1, maxLength: 4 }),
}));

/** What strikes in one session: death at an append, or signals when so many events were shown. */
type Blow = { readonly crash: number } | { readonly signals: number; readonly at: number };
const blow: fc.Arbitrary<Blow> = fc.oneof(
  fc.record({ crash: fc.integer({ min: 0, max: 40 }) }),
  fc.record({ signals: fc.integer({ min: 1, max: 3 }), at: fc.integer({ min: 0, max: 60 }) }),
);

function rigOf(shapes: readonly Shape[]): RunRig {
  let count = 0;
  const scripts: [string, readonly Behaviour[]][] = [];
  const make = (shape: Shape, prefix: string): Node => {
    const id = `n${count++}`;
    if ('children' in shape) {
      const inner = shape.children.map((child) => make(child, `${prefix}${id}/`));
      if (shape.kind === 'include') return include(id, inner, { rollback: [read(`settled${id}`)] });
      return group(id, inner, { parallel: shape.parallel } satisfies Partial<GroupNode>);
    }
    scripts.push([`${prefix}${id}`, shape.script], [`${prefix}${id}~undo`, shape.undo]);
    const more: Partial<StepNode> = {
      ...(shape.onFailure === undefined ? {} : { onFailure: shape.onFailure }),
      ...(shape.retry ? { retry } : {}),
      ...(shape.kind === 'change' && shape.verify ? { verify: [read(`check${id}`)] } : {}),
      // Puts back what the step made, by a step of its own.
      ...(shape.kind === 'change' && shape.rollback === 'steps' ? { rollback: [read(`back${id}`)] } : {}),
    };
    if (shape.kind === 'wait') return read(id, { uses: 'fake.wait', with: { ms: 30_000 } });
    return (shape.kind === 'change' ? step : read)(id, more);
  };
  const rig = new RunRig(
    planOf(
      shapes.map((shape) => make(shape, '')),
      { blocks: { preconditions: [read('before')], rollback: [read('after')] } },
    ),
  );
  for (const [id, script] of scripts) rig.target.script.set(id, [...script]);
  return rig;
}

function strike(rig: RunRig, next: Blow | undefined): void {
  rig.nextCrash = next !== undefined && 'crash' in next ? next.crash : undefined;
  let left = next !== undefined && 'at' in next ? next.at : -1;
  rig.options = {
    observers: [
      () => {
        left -= 1;
        if (next === undefined || !('signals' in next) || left !== -1) return;
        for (let count = 0; count < next.signals; count += 1) rig.signal('SIGTERM');
      },
    ],
  };
}

/** Sessions until the run is done, or rolled back when it cannot be done. Returns the last exit code. */
async function toTheEnd(rig: RunRig, blows: readonly Blow[], rollBackAfter: number): Promise<number> {
  strike(rig, blows[0]);
  let { exitCode } = await rig.exec();
  for (let session = 1; exitCode !== 0 && exitCode !== 5; session += 1) {
    if (session > 60) throw new Error(`no end after ${session} sessions: ${exitCode}`);
    strike(rig, blows[session]);
    const back = session > rollBackAfter && rig.state().mode === 'forward';
    ({ exitCode } = await rig.resume(back ? 'rollback' : 'resume'));
    if (exitCode === 70 && !rig.journal.dead) throw new Error(rig.state().finished?.text ?? 'internal error');
  }
  return exitCode;
}

describe('whatever strikes', () => {
  test('no effect is made twice in a row, every undo follows its effect, and the journal tells what is there', async () => {
    await fc.assert(
      fc.asyncProperty(
        list,
        fc.array(blow, { maxLength: 6 }),
        fc.integer({ min: 1, max: 8 }),
        async (shapes, blows, rollBackAfter) => {
          const rig = rigOf(shapes);
          await toTheEnd(rig, blows, rollBackAfter);
          const there = new Set<string>();
          const halves = new Set<string>();
          for (const line of rig.target.log) {
            const [verb, id = ''] = line.split(' ');
            if (verb === 'do') {
              expect(there.has(id), `${id} made twice`).toBe(false);
              there.add(id);
              halves.delete(id);
            } else if (verb === 'half') {
              expect(there.has(id), `${id} begun again`).toBe(false);
              halves.add(id);
            } else if (verb === 'undo') {
              expect(there.has(id) || halves.has(id), `${id} undone without being there`).toBe(true);
              there.delete(id);
              halves.delete(id);
            }
          }
          expect([...rig.target.halves].sort()).toEqual([...halves].sort());
          expect([...rig.target.present.keys()].sort()).toEqual([...there].sort());
        },
      ),
      { numRuns: 300 },
    );
  });

  test('after a rollback nothing is left but what its own steps were to put back, undone in reverse order', async () => {
    await fc.assert(
      fc.asyncProperty(list, fc.array(blow, { maxLength: 5 }), async (shapes, blows) => {
        const rig = rigOf(shapes);
        if ((await toTheEnd(rig, blows, 1)) !== 5) return;
        const closed = rig.events.flatMap((event) => (event.type === 'undone' ? [event.id] : []));
        const made = rig.target.log
          .filter((line) => /^(do|half) /.test(line))
          .map((line) => line.split(' ')[1]);
        const undone = closed.filter((id) => made.includes(id));
        expect(new Set(undone).size).toBe(undone.length);
        expect([...undone].sort()).toEqual([...new Set(made)].sort());
        for (const id of [...rig.target.present.keys(), ...rig.target.halves])
          expect(rig.target.log.join()).toContain(`read ${id}~undo/back`);
      }),
      { numRuns: 300 },
    );
  });
});

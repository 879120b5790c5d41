import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Node } from '../../../src/engine/read/runbook.ts';
import { group, read, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { RunRig } from '../../fakes/run-rig.ts';
import type { Behaviour } from '../../fakes/run-steps.ts';

type Policy = 'stop' | 'rollback' | 'continue' | undefined;

interface Leaf {
  readonly kind: 'change' | 'read';
  readonly behaviour: Behaviour;
  readonly policy: Policy;
  readonly items: number | undefined;
}
interface Branch {
  readonly kind: 'group';
  readonly parallel: number;
  readonly policy: Policy;
  readonly children: readonly Shape[];
}
type Shape = Leaf | Branch;

const policy = fc.constantFrom<Policy>(undefined, undefined, undefined, 'stop', 'rollback', 'continue');
const leaf: fc.Arbitrary<Leaf> = fc.record({
  kind: fc.constantFrom('change', 'change', 'change', 'read'),
  behaviour: fc.constantFrom<Behaviour>('ok', 'ok', 'ok', 'ok', 'lost', 'slow', 'fail', 'idle'),
  policy,
  items: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined, freq: 3 }),
});

function shapes(parallel: fc.Arbitrary<number>): fc.Arbitrary<readonly Shape[]> {
  const { list } = fc.letrec<{ list: readonly Shape[]; branch: Branch }>((tie) => ({
    branch: fc.record({ kind: fc.constant('group'), parallel, policy, children: tie('list') }),
    list: fc.array(fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, tie('branch')), {
      minLength: 1,
      maxLength: 4,
    }),
  }));
  return list;
}

interface Built {
  readonly nodes: readonly Node[];
  readonly script: ReadonlyMap<string, Behaviour>;
}

/** Nodes with ids in order, and what each instance does whenever it is called. */
function build(list: readonly Shape[]): Built {
  const script = new Map<string, Behaviour>();
  let count = 0;
  const make = (shape: Shape, prefix: string): Node => {
    const id = `n${count++}`;
    const onFailure = shape.policy === undefined ? {} : { onFailure: shape.policy };
    if (shape.kind === 'group') {
      const inner = shape.children.map((child) => make(child, `${prefix}${id}/`));
      return group(id, inner, { parallel: shape.parallel, ...onFailure });
    }
    const keys = shape.items === undefined ? undefined : ['a', 'b', 'c'].slice(0, shape.items);
    for (const suffix of keys?.map((key) => `[${key}]`) ?? [''])
      script.set(`${prefix}${id}${suffix}`, shape.behaviour);
    const forEach = keys === undefined ? {} : { forEach: { items: keys, as: 'item', parallel: 1 } };
    return (shape.kind === 'change' ? step : read)(id, { ...onFailure, ...forEach });
  };
  return { nodes: list.map((shape) => make(shape, '')), script };
}

function rigOf({ nodes, script }: Built): RunRig {
  const rig = new RunRig(planOf(nodes));
  rig.target.always = script;
  return rig;
}

interface Expected {
  readonly log: string[];
  exitCode: number;
}

/** What a run must do, as plain recursion: no events, no protocol, one thing after the other. */
function model({ nodes, script }: Built): Expected {
  const out: Expected = { log: [], exitCode: 0 };
  const taken: string[] = [];
  let passedOver = false;
  class Stop {
    readonly policy: 'stop' | 'rollback';
    constructor(policy: 'stop' | 'rollback') {
      this.policy = policy;
    }
  }
  class Failed {
    readonly owner: string;
    constructor(owner: string) {
      this.owner = owner;
    }
  }
  const fail = (policies: readonly { readonly id: string; readonly policy: Policy }[]): never => {
    const found = policies.findLast((entry) => entry.policy !== undefined);
    if (found?.policy !== 'continue' || found === undefined)
      throw new Stop(found?.policy === 'rollback' ? 'rollback' : 'stop');
    passedOver = true;
    throw new Failed(found.id);
  };
  const runLeaf = (node: Node, id: string, policies: readonly { id: string; policy: Policy }[]): void => {
    const behaviour = script.get(id) ?? 'ok';
    const changes = node.kind === 'step' && node.effect === 'change';
    if (!changes) {
      if (behaviour === 'fail') fail(policies);
      return;
    }
    if (behaviour === 'fail' || behaviour === 'idle') fail(policies);
    out.log.push(`do ${id}`);
    taken.push(id);
  };
  const runNode = (node: Node, prefix: string, outer: readonly { id: string; policy: Policy }[]): void => {
    const id = `${prefix}${node.id}`;
    const items = node.forEach?.items;
    const ids = Array.isArray(items) ? items.map((key) => `${id}[${String(key)}]`) : [id];
    for (const one of ids) {
      const policies = [...outer, { id: one, policy: node.onFailure }];
      try {
        if (node.kind === 'group') for (const child of node.children) runNode(child, `${one}/`, policies);
        else runLeaf(node, one, policies);
      } catch (thrown) {
        if (!(thrown instanceof Failed) || thrown.owner !== one) throw thrown;
      }
    }
  };
  try {
    for (const node of nodes) runNode(node, '', []);
    out.exitCode = passedOver ? 1 : 0;
  } catch (thrown) {
    if (!(thrown instanceof Stop)) throw thrown;
    out.exitCode = taken.length > 0 ? 1 : 4;
    if (thrown.policy === 'rollback' && taken.length > 0) {
      for (const id of taken.reverse()) out.log.push(`undo ${id}`);
      out.exitCode = 5;
    }
  }
  return out;
}

function changesOf(rig: RunRig): readonly string[] {
  return rig.target.log.filter((line) => !line.startsWith('read'));
}

/** Drives with crashes at the given numbers of appends, until the run has come to its end. */
async function withCrashes(rig: RunRig, crashes: readonly number[]): Promise<number> {
  let left = [...crashes];
  const arm = () => {
    rig.nextCrash = left[0];
    left = left.slice(1);
  };
  arm();
  let result = await rig.exec();
  for (let session = 0; result.state.finished === undefined || rig.journal.dead; session += 1) {
    if (session > crashes.length) throw result.problem ?? new Error('the run does not come to its end');
    arm();
    result = await rig.resume();
  }
  return result.exitCode;
}

describe('a run and the reference model', () => {
  test('without a crash, one after the other, they do the same', async () => {
    await fc.assert(
      fc.asyncProperty(shapes(fc.constant(1)), async (list) => {
        const built = build(list);
        const rig = rigOf(built);
        const result = await rig.exec();
        const expected = model(built);
        expect(result.problem).toBeUndefined();
        expect(changesOf(rig)).toEqual(expected.log);
        expect(result.exitCode).toBe(expected.exitCode);
      }),
      { numRuns: 150 },
    );
  });

  test('killed at any append, any number of times, and resumed: the same effects, each once, the same end', async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes(fc.constant(1)),
        fc.array(fc.integer({ min: 0, max: 25 }), { minLength: 1, maxLength: 4 }),
        async (list, crashes) => {
          const built = build(list);
          const rig = rigOf(built);
          const exitCode = await withCrashes(rig, crashes);
          const expected = model(built);
          expect(changesOf(rig)).toEqual(expected.log);
          expect(exitCode).toBe(expected.exitCode);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('in parallel groups, killed and resumed: no effect twice, and a rollback undoes exactly what took effect', async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes(fc.constantFrom(0, 1, 2)),
        fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 0, maxLength: 3 }),
        async (list, crashes) => {
          const rig = rigOf(build(list));
          const exitCode = await withCrashes(rig, crashes);
          const log = changesOf(rig);
          expect(new Set(log).size).toBe(log.length);
          const undone = log.filter((line) => line.startsWith('undo')).map((line) => line.slice(5));
          const done =
            exitCode === 5 ? log.filter((line) => line.startsWith('do ')).map((line) => line.slice(3)) : [];
          expect([...undone].sort()).toEqual([...done].sort());
          if (exitCode === 5) expect(rig.target.present.size).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });
});

import type { GroupNode, IncludeNode, Node, Runbook, StepNode } from '../../src/engine/read/runbook.ts';
import { SourceFile } from '../../src/engine/source-file.ts';

/** A node of a hand-built runbook, with the defaults that read would fill in. */
export function step(id: string, more: Partial<StepNode> = {}): StepNode {
  return {
    kind: 'step',
    id,
    uses: 'fake.change',
    effect: 'change',
    with: {},
    at: `test.yaml:${id}`,
    ...more,
  };
}

export function read(id: string, more: Partial<StepNode> = {}): StepNode {
  return step(id, { uses: 'fake.read', effect: 'read', ...more });
}

export function group(id: string, children: readonly Node[], more: Partial<GroupNode> = {}): GroupNode {
  return { kind: 'group', id, children, parallel: 1, at: `test.yaml:${id}`, ...more };
}

export function include(id: string, children: readonly Node[], more: Partial<IncludeNode> = {}): IncludeNode {
  return {
    kind: 'include',
    id,
    path: 'other.yaml',
    title: 'Other',
    with: {},
    inputs: {},
    preconditions: [],
    children,
    verifications: [],
    rollback: [],
    outputs: {},
    locks: [],
    risk: 'low',
    at: `test.yaml:${id}`,
    ...more,
  };
}

export function each(items: string | readonly string[], as = 'item'): NonNullable<StepNode['forEach']> {
  return { items, as, parallel: 1 };
}

export function runbook(steps: readonly Node[], more: Partial<Runbook> = {}): Runbook {
  return {
    name: 'test',
    title: 'Test',
    description: 'A runbook built by hand.',
    risk: 'low',
    locks: [],
    inputs: {},
    preconditions: [],
    steps,
    verifications: [],
    rollback: [],
    outputs: {},
    files: [new SourceFile('test.yaml', 'apiVersion: runbook/v1\n')],
    inputLocations: new Map(),
    ...more,
  };
}

import type { Resource } from '../step-type.ts';

interface Branch {
  readonly next: Map<string, Branch>;
  /** The first instance that writes exactly here, and so everything below. */
  writer: string | undefined;
}

/**
 * What the changes planned so far will write. Two paths overlap when one is the beginning of the other, a `*` segment standing for any.
 * Asking costs what the path is long, not how many changes there are.
 */
export interface Touched {
  add(resources: readonly Resource[], writer: string): void;
  /** An instance that writes what one of these resources names. */
  writerOf(resources: readonly Resource[]): string | undefined;
}

export function touched(): Touched {
  const root: Branch = { next: new Map(), writer: undefined };
  return {
    add(resources, writer) {
      for (const resource of resources) if (resource.mode === 'write') insert(root, resource.path, writer);
    },
    writerOf(resources) {
      for (const { path } of resources) {
        const writer = find(root, path.split('/'), 0);
        if (writer !== undefined) return writer;
      }
      return undefined;
    },
  };
}

function insert(root: Branch, path: string, writer: string): void {
  let branch = root;
  for (const segment of path.split('/')) {
    let next = branch.next.get(segment);
    if (next === undefined) {
      next = { next: new Map(), writer: undefined };
      branch.next.set(segment, next);
    }
    branch = next;
  }
  branch.writer ??= writer;
}

function find(branch: Branch, path: readonly string[], index: number): string | undefined {
  if (branch.writer !== undefined) return branch.writer;
  const segment = path[index];
  if (segment === undefined) return anyWriter(branch);
  if (segment === '*') {
    for (const next of branch.next.values()) {
      const writer = find(next, path, index + 1);
      if (writer !== undefined) return writer;
    }
    return undefined;
  }
  for (const name of [segment, '*']) {
    const next = branch.next.get(name);
    const writer = next === undefined ? undefined : find(next, path, index + 1);
    if (writer !== undefined) return writer;
  }
  return undefined;
}

/** Every branch was made for a writer at its end. */
function anyWriter(branch: Branch): string | undefined {
  let current: Branch | undefined = branch;
  while (current !== undefined && current.writer === undefined) [current] = current.next.values();
  return current?.writer;
}

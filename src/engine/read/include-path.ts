import path from 'node:path';
import type { Problem } from './tree.ts';

/** How the reader reaches files; it does no I/O of its own. */
export interface Loader {
  /** The bytes of a file. Rejects with a message for people. Of a file over `limit` bytes it may give only the first `limit`. */
  load(path: string, limit: number): Promise<Uint8Array>;
  /** The path with every symbolic link resolved; undefined when nothing is there. */
  realPath(path: string): Promise<string | undefined>;
}

export interface Folder extends Loader {
  /** Folder of the runbooks that come with the program; undefined: there are none. */
  readonly shippedRoot: string | undefined;
}

export interface Place {
  /** As people name it. */
  readonly path: string;
  /** With every symbolic link resolved. */
  readonly real: string;
  /** Real path of the folder that its includes may not leave. */
  readonly root: string;
}

export type Found =
  | { readonly ok: true; readonly place: Place }
  | { readonly ok: false; readonly problem: Problem };

/** The file that `uses` names in a document: beside it and never outside its folder, or a shipped one by its bare name. */
export async function findInclude(folder: Folder, from: Place, uses: string): Promise<Found> {
  if (!uses.includes('/')) return findShipped(folder, from, uses);
  const target = path.join(path.dirname(from.path), uses);
  const written = path.join(path.dirname(from.real), uses);
  if (uses.startsWith('/') || !inside(from.root, written)) return outside(uses);
  const real = await folder.realPath(target);
  if (real === undefined) return missing(`there is no file ${uses}`, `it is looked for as ${target}`);
  if (!inside(from.root, real)) return outside(uses, ' through a symbolic link');
  return { ok: true, place: { path: target, real, root: from.root } };
}

async function findShipped(folder: Folder, from: Place, uses: string): Promise<Found> {
  const root = folder.shippedRoot === undefined ? undefined : await folder.realPath(folder.shippedRoot);
  if (root !== undefined && folder.shippedRoot !== undefined) {
    const target = path.join(folder.shippedRoot, uses);
    const real = await folder.realPath(target);
    if (real !== undefined && inside(root, real)) return { ok: true, place: { path: target, real, root } };
  }
  const beside = await folder.realPath(path.join(path.dirname(from.path), uses));
  return missing(
    `no runbook called ${uses} is shipped`,
    beside === undefined
      ? "'runbook list' shows the shipped ones; one of your own is written ./name.yaml"
      : `for the one beside this file, write ./${uses}`,
  );
}

function inside(root: string, target: string): boolean {
  return target.startsWith(root.endsWith('/') ? root : `${root}/`);
}

function missing(message: string, hint: string): Found {
  return { ok: false, problem: { code: 'include-missing', message, hint } };
}

function outside(uses: string, how = ''): Found {
  return {
    ok: false,
    problem: {
      code: 'include-outside',
      message: `${uses} leaves the folder of this runbook${how}`,
      hint: 'keep runbooks that include each other in one folder, or use a shipped one by its bare name',
    },
  };
}

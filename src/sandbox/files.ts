import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { FileReader, FileStore } from '../services/files.ts';
import { createFileStore } from '../services/files-node.ts';
import type { Caller } from './connection.ts';
import type { FaultPlan } from './faults.ts';

/** Files that simulated steps have made, by a name for each absolute path. */
interface Made {
  /** Absolute paths under which files were made, sorted. */
  names(): readonly string[];
  read(key: string, limit: number): Promise<Uint8Array>;
  stat: FileReader['stat'];
  create: FileStore['create'];
}

export interface SandboxFiles {
  for(caller: Caller): FileStore;
  /** Absolute paths under which files were made, sorted. */
  names(): readonly string[];
}

/**
 * Reads real files, and writes none into the folders of whoever tries the sandbox: what a step makes lies in `files/` of the run's folder
 * (in memory when there is none) and is found again under the path that it was made with.
 */
export function sandboxFiles(
  { dir, from }: { readonly dir: string | undefined; readonly from: string | undefined },
  real: FileReader,
  faults: FaultPlan,
): SandboxFiles {
  const made =
    dir === undefined
      ? inMemory(from === undefined ? undefined : inFolder(path.join(from, 'files')))
      : inFolder(path.join(dir, 'files'));
  const storeOf = (caller: Caller): FileStore => ({
    read: async (name, limit) => {
      const key = keyOf(name);
      const found = await made.stat(key);
      if (found === undefined) return real.read(name, limit);
      if (found.size > limit) throw new Error(`Cannot read ${name}: it is larger than ${limit} bytes`);
      return made.read(key, limit);
    },
    stat: async (name) => (await made.stat(keyOf(name))) ?? real.stat(name),
    create: async (name, content) => {
      const key = keyOf(name);
      if ((await made.stat(key)) !== undefined || (await real.stat(name)) !== undefined)
        throw new Error(`Cannot create ${name}: it exists already, and nothing is ever overwritten`);
      await made.create(key, content);
      await made.create(`${key}${NAME}`, Buffer.from(path.resolve(name)));
      if (faults.take(caller.instance, 'answer') === undefined) return;
      throw new Error(`Cannot create ${name}: whether it was made is not known`);
    },
  });
  return { for: storeOf, names: () => made.names() };
}

/** What the path of a file is kept under, beside it. */
const NAME = '.path';

function keyOf(name: string): string {
  return createHash('sha256').update(path.resolve(name)).digest('hex').slice(0, 32);
}

function inFolder(folder: string): Made {
  const store = createFileStore();
  const at = (key: string) => path.join(folder, key);
  return {
    names: () =>
      existsSync(folder)
        ? readdirSync(folder)
            .filter((key) => key.endsWith(NAME))
            .map((key) => readFileSync(at(key), 'utf8'))
            .sort()
        : [],
    read: (key, limit) => store.read(at(key), limit),
    stat: (key) => store.stat(at(key)),
    create: (key, content) => store.create(at(key), content),
  };
}

/** `earlier`: read, never written. */
function inMemory(earlier: Made | undefined): Made {
  const files = new Map<string, Uint8Array>();
  return {
    names: () =>
      [
        ...(earlier?.names() ?? []),
        ...[...files].flatMap(([key, bytes]) =>
          key.endsWith(NAME) ? [Buffer.from(bytes).toString('utf8')] : [],
        ),
      ].sort(),
    read: async (key, limit) => {
      const content = files.get(key);
      return content === undefined && earlier !== undefined
        ? earlier.read(key, limit)
        : Uint8Array.from(content ?? []);
    },
    stat: async (key) => {
      const content = files.get(key);
      if (content === undefined) return earlier?.stat(key);
      return { kind: 'file', mode: 0o600, uid: 0, size: content.length };
    },
    create: async (key, content) => {
      const chunks: Uint8Array[] = [];
      for await (const piece of content instanceof Uint8Array ? [content] : content) chunks.push(piece);
      files.set(key, Buffer.concat(chunks));
    },
  };
}

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { SendSignal } from './process.ts';
import { processSpace } from './process-identity.ts';

export interface WorkspaceOptions {
  /** Of this process; a folder carries it and what it counts in, so that a later process can tell what a dead one left behind. */
  readonly pid: number;
  readonly kill: SendSignal;
  readonly now: () => number;
  /** Holds the folders; the user's runtime folder (in memory) or the system's one for temporary files unless given. */
  readonly folder?: string | undefined;
}

export interface Workspace {
  readonly folder: string;
  /** A file of this user alone; its path. */
  write(name: string, content: string | Uint8Array): Promise<string>;
}

const prefix = 'runbook-helm-';
/** Where the system does not say who uses a folder: a Helm client that outlived its runbook has long read it by then. */
const keptFor = 60 * 60_000;
/** Of another container or machine, nobody here sees the processes: no call of Helm works as long as this. */
const keptElsewhere = 24 * 60 * 60_000;

/** A private folder (0700) for credentials, values and charts of one call; gone when `use` ends, however it ends. */
export async function withWorkspace<T>(
  options: WorkspaceOptions,
  use: (workspace: Workspace) => Promise<T>,
): Promise<T> {
  const parent = await parentOf(options);
  await sweep(parent, options);
  const folder = await mkdtemp(path.join(parent, `${prefix}${options.pid}-${processSpace()}-`));
  try {
    return await use({
      folder,
      write: async (name, content) => {
        const file = path.join(folder, name);
        await writeFile(file, content, { mode: 0o600, flag: 'wx' });
        return file;
      },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A runtime folder may be named in the environment and not be there (su, cron). */
async function parentOf({ folder }: WorkspaceOptions): Promise<string> {
  const found = folder === undefined ? undefined : await stat(folder).catch(() => undefined);
  return folder !== undefined && found?.isDirectory() ? folder : os.tmpdir();
}

/** Folders of processes that were killed: they hold credentials. Failing to remove one is no reason not to work. */
async function sweep(parent: string, { pid, kill, now }: WorkspaceOptions): Promise<void> {
  const here = processSpace();
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.startsWith(prefix)) continue;
    const [, owner, space] = /^(\d+)-([\da-f]{12})-/u.exec(name.slice(prefix.length)) ?? [];
    if (space === here && (Number(owner) === pid || kill(Number(owner), 0))) continue;
    const folder = path.join(parent, name);
    const found = await stat(folder).catch(() => undefined);
    if (found === undefined) continue;
    const used = await isUsed(folder);
    if (used === true) continue;
    const known = space === here && used === false;
    if (!known && now() - found.mtimeMs < (space === here ? keptFor : keptElsewhere)) continue;
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Whether a process was started with a file of the folder as its kubeconfig; undefined where the system does not say (not Linux). */
async function isUsed(folder: string): Promise<boolean | undefined> {
  const pids = await readdir('/proc').then(
    (names) => names.filter((name) => /^\d+$/u.test(name)),
    () => [],
  );
  if (pids.length === 0) return undefined;
  const environments = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')),
  );
  return environments.some((text) => text.includes(`=${folder}${path.sep}`));
}

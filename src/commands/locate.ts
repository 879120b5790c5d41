import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { exitCodes } from '../exit-code.ts';
import { CommandError, type Environment } from './command.ts';

/** Where bare names are looked up, in order. */
export function searchPath(environment: Pick<Environment, 'cwd' | 'env' | 'packageRoot'>): readonly string[] {
  const own = (environment.env.RUNBOOK_PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return [
    environment.cwd,
    path.join(environment.cwd, 'runbooks'),
    ...own.map((folder) => path.resolve(environment.cwd, folder)),
    shippedFolder(environment),
  ];
}

export function shippedFolder(environment: Pick<Environment, 'packageRoot'>): string {
  return path.join(environment.packageRoot, 'runbooks');
}

function isFile(file: string): boolean {
  return existsSync(file) && statSync(file).isFile();
}

/** An existing file as named, or a bare name ('mek-rotation', 'mek-rotation.yaml') found in the search path. */
export async function locateRunbook(name: string, environment: Environment): Promise<string> {
  const direct = path.resolve(environment.cwd, name);
  if (isFile(direct)) return direct;
  const candidates = /\.ya?ml$/.test(name) ? [name] : [`${name}.yaml`, `${name}.yml`];
  if (!name.includes('/')) {
    for (const folder of searchPath(environment)) {
      const found = candidates.map((candidate) => path.join(folder, candidate)).find(isFile);
      if (found !== undefined) return found;
    }
  }
  const { suggest } = await import('../engine/suggest.ts');
  const near = suggest(
    name.replace(/\.ya?ml$/, ''),
    listRunbooks(environment).map((runbook) => runbook.name),
  );
  throw new CommandError(
    exitCodes.usage,
    `there is no runbook '${name}'${name.includes('/') ? '' : ` in ${searchPath(environment).join(', ')}`}`,
    near === undefined ? `'runbook list' shows what can be run by name` : `did you mean '${near}'?`,
  );
}

export interface FoundRunbook {
  readonly name: string;
  readonly path: string;
  readonly shipped: boolean;
  readonly title: string;
  readonly risk: string;
}

/** A look at the top of a file, without parsing it: its title and risk, or undefined when it is no runbook. */
function peek(file: string): { readonly title: string; readonly risk: string } | undefined {
  const buffer = Buffer.alloc(4096);
  const descriptor = openSync(file, 'r');
  const length = readSync(descriptor, buffer, 0, buffer.length, 0);
  closeSync(descriptor);
  const text = buffer.toString('utf8', 0, length);
  if (!/^apiVersion: *['"]?runbook\//m.test(text)) return undefined;
  const field = (name: string) =>
    new RegExp(`^${name}: *(.*?) *(?: #.*)?$`, 'm').exec(text)?.[1]?.replace(/^(['"])(.*)\1$/, '$2');
  return { title: field('title') ?? '', risk: field('risk') ?? 'medium' };
}

/** Every runbook that a bare name can reach; an earlier folder hides a later one's file of the same name. */
export function listRunbooks(
  environment: Pick<Environment, 'cwd' | 'env' | 'packageRoot'>,
): readonly FoundRunbook[] {
  const found = new Map<string, FoundRunbook>();
  for (const folder of searchPath(environment)) {
    if (!existsSync(folder)) continue;
    for (const file of readdirSync(folder).sort()) {
      const name = file.replace(/\.ya?ml$/, '');
      if (name === file || found.has(name) || !isFile(path.join(folder, file))) continue;
      const top = peek(path.join(folder, file));
      if (top !== undefined)
        found.set(name, {
          name,
          path: path.join(folder, file),
          shipped: folder === shippedFolder(environment),
          ...top,
        });
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

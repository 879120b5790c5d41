import path from 'node:path';
import type { Diagnostic, Result } from '../../../src/engine/diagnostic.ts';
import type { Inventory } from '../../../src/engine/read/inventory.ts';
import { readRunbook } from '../../../src/engine/read/read-runbook.ts';
import type { Runbook } from '../../../src/engine/read/runbook.ts';
import { fakeCatalogue } from '../../fakes/step-types.ts';

/** The first lines of every runbook here. */
export const header = 'apiVersion: runbook/v1\nname: demo\ntitle: Demo\ndescription: A demonstration.\n';

/** One precise step, for documents that are about something else. */
export const step = 'steps:\n  - {id: say, uses: note, with: {text: hello}}\n';

/** Files in memory; a link leads to the path that its value names. */
export interface Disk {
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly links?: Readonly<Record<string, string>>;
}

export async function readFrom(
  disk: Disk,
  options: { readonly path?: string; readonly inventory?: Inventory } = {},
): Promise<Result<Runbook>> {
  const real = (file: string) => {
    const plain = path.normalize(file);
    return disk.links?.[plain] ?? plain;
  };
  return readRunbook({
    path: options.path ?? '/books/main.yaml',
    async load(file) {
      const content = disk.files[real(file)];
      if (content === undefined) throw new Error('there is no such file');
      return typeof content === 'string' ? new TextEncoder().encode(content) : content;
    },
    async realPath(file) {
      const target = real(file);
      const folder = Object.keys(disk.files).some((name) => name.startsWith(`${target}/`));
      return disk.files[target] === undefined && !folder ? undefined : target;
    },
    stepTypes: fakeCatalogue,
    shippedRoot: '/shipped',
    ...(options.inventory === undefined ? {} : { inventory: options.inventory }),
  });
}

export async function read(text: string | Uint8Array, inventory?: Inventory): Promise<Result<Runbook>> {
  return readFrom({ files: { '/books/main.yaml': text } }, inventory === undefined ? {} : { inventory });
}

export function diagnosticsOf(result: Result<Runbook>): readonly Diagnostic[] {
  return result.ok ? result.warnings : result.diagnostics;
}

export function marked(text: string): {
  readonly text: string;
  readonly start: number;
  readonly end: number;
} {
  const start = text.indexOf('«');
  const end = text.indexOf('»') - 1;
  return { text: text.replace('«', '').replace('»', ''), start, end };
}

export interface Said {
  readonly code: string;
  /** Offset and characters. */
  readonly at: string;
  readonly message: string;
  readonly hint: string | undefined;
}

/** What a reader says, in the form of a row. */
export function said(diagnostic: Diagnostic): Said {
  const { code, message, hint, location } = diagnostic;
  const { start, end } = location.range;
  return { code, at: `${start}: ${location.file.text.slice(start, end)}`, message, hint };
}

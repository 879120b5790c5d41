import path from 'node:path';
import type { Diagnostic, Result } from '../diagnostic.ts';
import { type StepCatalogue, StepLoader } from '../step-loader.ts';
import type { ReadStepSchema } from '../step-schema.ts';
import type { Loader } from './include-path.ts';
import type { Inventory } from './inventory.ts';
import { readDocument, type Session } from './read-document.ts';
import type { Runbook } from './runbook.ts';

export type { Loader } from './include-path.ts';

export interface ReadOptions extends Loader {
  /** The file, as people name it: diagnostics show it so. */
  readonly path: string;
  readonly stepTypes: StepCatalogue<ReadStepSchema>;
  /** Without one, names of services are not checked. */
  readonly inventory?: Inventory | (() => Inventory | undefined);
  /** Folder of the runbooks that can be included by bare name. */
  readonly shippedRoot?: string;
}

/**
 * Reads a runbook with everything it includes. Pure but for the loader. Every mistake of a layer is reported at once, and once;
 * a broken layer stops the layers above it in its file.
 */
export async function readRunbook(options: ReadOptions): Promise<Result<Runbook>> {
  const { inventory, shippedRoot } = options;
  const loader = new StepLoader(options.stepTypes);
  const session: Session = {
    catalogue: {
      typeNames: loader.names,
      steps: loader.steps,
      stepSchemas: loader.schemas,
      inventory: typeof inventory === 'function' ? inventory : () => inventory,
    },
    loader,
    folder: {
      load: (file, limit) => options.load(file, limit),
      realPath: (file) => options.realPath(file),
      shippedRoot,
    },
    documents: new Map(),
    opened: [],
  };
  const real = (await options.realPath(options.path)) ?? options.path;
  const place = { path: options.path, real, root: path.dirname(real) };
  const { content, inputLocations } = await readDocument(session, place, []);
  const diagnostics = session.opened.flatMap(({ found }) => sorted(found));
  if (content === undefined || diagnostics.some(({ severity }) => severity === 'error'))
    return { ok: false, diagnostics };
  const files = session.opened.map(({ file }) => file);
  return { ok: true, value: { ...content, files, inputLocations }, warnings: diagnostics };
}

function sorted(found: readonly Diagnostic[]): readonly Diagnostic[] {
  return [...found].sort((a, b) => a.location.range.start - b.location.range.start);
}

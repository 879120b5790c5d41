import type { Diagnostic, Location } from '../diagnostic.ts';
import { SourceFile } from '../source-file.ts';
import type { StepLoader } from '../step-loader.ts';
import { buildNodes, type Content, contentOf } from './build.ts';
import { checkDocument, directoryOf, firstChange, maxSteps } from './check-document.ts';
import type { Catalogue, Context, Included } from './context.ts';
import { decode, maxBytes } from './decode.ts';
import { type Folder, findInclude, type Place } from './include-path.ts';
import { inputsSchema } from './input-schema.ts';
import { type Item, outlineOf, typesIn } from './outline.ts';
import { parseYaml } from './parse.ts';
import { maxDepth } from './parse-scan.ts';
import type { InputSpec } from './runbook.ts';
import { diagnose, jsonObjectOf, type MapTree, type ParsedFile, type Problem, valueAt } from './tree.ts';
import { validateDocument } from './validate-document.ts';

/** One file, read once however often it is included. */
export interface Document {
  readonly file: SourceFile;
  /** Undefined: the file, or one that it includes, has errors. */
  readonly content: Content | undefined;
  /** Undefined: the file itself has errors that leave it without meaning. */
  readonly facts: Included | undefined;
  /** Steps, and their deepest nesting, with everything included expanded. */
  readonly size: number;
  readonly depth: number;
  readonly inputLocations: ReadonlyMap<string, Location>;
}

/** An `uses` on the way from the first document to the one being read. */
interface Edge {
  readonly real: string;
  readonly path: string;
  readonly location: Location | undefined;
}

export interface Session {
  readonly catalogue: Catalogue;
  /** Fills the catalogue. */
  readonly loader: Pick<StepLoader<unknown>, 'load'>;
  readonly folder: Folder;
  /** By real path. */
  readonly documents: Map<string, Document>;
  /** In the order in which they were opened. */
  readonly opened: { readonly file: SourceFile; found: Diagnostic[] }[];
}

export async function readDocument(
  session: Session,
  place: Place,
  trail: readonly Edge[],
): Promise<Document> {
  const known = session.documents.get(place.real);
  if (known !== undefined) return known;
  const opened = await open(session, place);
  const document =
    opened.parsed === undefined ? unusable(opened.file) : await understand(session, opened, { place, trail });
  session.documents.set(place.real, document);
  return document;
}

interface Opened {
  readonly file: SourceFile;
  readonly found: Diagnostic[];
  readonly parsed: ParsedFile | undefined;
}

function unusable(file: SourceFile): Document {
  return { file, content: undefined, facts: undefined, size: 1, depth: 1, inputLocations: new Map() };
}

/** Bytes, YAML, schema: each layer only on a sound one below. */
async function open(session: Session, place: Place): Promise<Opened> {
  const record = (file: SourceFile, diagnostics: readonly Diagnostic[], parsed?: ParsedFile): Opened => {
    const entry = { file, found: [...diagnostics] };
    session.opened.push(entry);
    return { ...entry, parsed };
  };
  let bytes: Uint8Array;
  try {
    bytes = await session.folder.load(place.path, maxBytes + 1);
  } catch (error) {
    const file = new SourceFile(place.path, '');
    const message = `the file cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    const hint = 'does it exist, and may you read it?';
    return record(file, [diagnose(file, { start: 0, end: 0 }, { code: 'unreadable', message, hint })]);
  }
  const decoded = decode(place.path, bytes);
  if (!decoded.ok)
    return record(
      decoded.diagnostics[0]?.location.file ?? new SourceFile(place.path, ''),
      decoded.diagnostics,
    );
  const { file } = decoded;
  const parsed = parseYaml(file);
  if (!parsed.ok) return record(file, parsed.diagnostics);
  await session.loader.load(typesIn(parsed.tree));
  const wrong = validateDocument(session.catalogue, { file, tree: parsed.tree });
  return record(file, wrong, wrong.length === 0 ? { file, tree: parsed.tree } : undefined);
}

async function understand(
  session: Session,
  { file, found, parsed }: Opened,
  { place, trail }: { readonly place: Place; readonly trail: readonly Edge[] },
): Promise<Document> {
  if (parsed === undefined) return unusable(file);
  const { tree } = parsed;
  const outline = outlineOf(tree);
  const documents = new Map<Item, Document>();
  for (const item of outline.all) {
    if (item.kind !== 'include') continue;
    const inner = await openInclude(session, { file, found, item }, { place, trail });
    if (inner !== undefined) documents.set(item, inner);
  }
  const inputs = inputsOf(tree);
  const context: Context = {
    ...session.catalogue,
    file,
    tree,
    outline,
    directory: { byId: directoryOf(outline) },
    inputs,
    inputsSchema: inputsSchema(inputs),
    includes: new Map(
      outline.all.flatMap((item) => (item.kind === 'include' ? [[item, documents.get(item)?.facts]] : [])),
    ),
    elements: new Map(),
    usedInputs: new Set(),
    checked: new Map(),
    found,
  };
  const outputs = checkDocument(context);
  const measured = measure(context, documents);
  const locks = valueAt(tree, 'locks');
  const facts: Included = {
    inputs,
    outputs,
    locks:
      locks?.kind === 'list'
        ? locks.items.map((lock) => String(lock.kind === 'scalar' ? lock.value : ''))
        : [],
    changing: firstChange(context),
  };
  return {
    file,
    facts,
    ...measured,
    content: build(context, documents),
    inputLocations: inputLocations(parsed),
  };
}

async function openInclude(
  session: Session,
  { file, found, item }: { readonly file: SourceFile; readonly found: Diagnostic[]; readonly item: Item },
  { place, trail }: { readonly place: Place; readonly trail: readonly Edge[] },
): Promise<Document | undefined> {
  const range = valueAt(item.tree, 'uses')?.range ?? item.tree.range;
  const target = await findInclude(session.folder, place, item.uses);
  const refuse = (problem: Problem) => {
    found.push(diagnose(file, range, problem));
    return undefined;
  };
  if (!target.ok) return refuse(target.problem);
  const here: Edge = { real: place.real, path: place.path, location: { file, range } };
  const edges = [...trail, here];
  const start = edges.findIndex(({ real }) => real === target.place.real);
  if (start !== -1) return refuse(cycle(edges.slice(start), target.place.path));
  return readDocument(session, target.place, edges);
}

/** Every edge of the circle but the one that closes it, which is the place of the diagnostic. */
function cycle(edges: readonly Edge[], closing: string): Problem {
  const names = [...edges.map(({ path }) => path), closing].map((path) =>
    path.slice(path.lastIndexOf('/') + 1),
  );
  const related = edges
    .slice(0, -1)
    .flatMap(({ location }, index) =>
      location === undefined ? [] : [{ location, message: `${names[index]} includes ${names[index + 1]}` }],
    );
  return {
    code: 'include-cycle',
    message: `runbooks include each other in a circle: ${names.join(' → ')}`,
    hint: 'move what both need into a runbook that includes neither',
    related,
  };
}

function inputsOf(tree: MapTree): Readonly<Record<string, InputSpec>> {
  const inputs = valueAt(tree, 'inputs');
  return inputs?.kind === 'map' ? (jsonObjectOf(inputs) as unknown as Record<string, InputSpec>) : {};
}

function inputLocations({ file, tree }: ParsedFile): ReadonlyMap<string, Location> {
  const inputs = valueAt(tree, 'inputs');
  if (inputs?.kind !== 'map') return new Map();
  return new Map([...inputs.entries].map(([name, { keyRange }]) => [name, { file, range: keyRange }]));
}

/** Size and depth with everything included; what is too large is reported where the limit is passed. */
function measure(
  { outline, file, found }: Context,
  documents: ReadonlyMap<Item, Document>,
): { readonly size: number; readonly depth: number } {
  let size = outline.all.length;
  let depth = 0;
  const own = size;
  let full = own > maxSteps;
  for (const item of outline.all) {
    const inner = documents.get(item);
    const level = item.chain.length + (inner?.depth ?? 0);
    const before = depth;
    depth = Math.max(depth, level);
    size += inner?.size ?? 0;
    const range = valueAt(item.tree, 'uses')?.range ?? item.tree.range;
    if (size > maxSteps && !full) {
      full = true;
      found.push(
        diagnose(file, range, {
          code: 'too-many-steps',
          message: `with what it includes, the run has more than ${maxSteps} steps`,
          hint: 'repeat a step with forEach, or split the procedure into several runs',
        }),
      );
    }
    if (depth > maxDepth && before <= maxDepth)
      found.push(
        diagnose(file, range, {
          code: 'too-deep',
          message: `runbooks and groups are nested more than ${maxDepth} deep`,
          hint: 'include fewer runbooks in each other',
        }),
      );
  }
  return { size, depth };
}

function build(context: Context, documents: ReadonlyMap<Item, Document>): Content | undefined {
  if (context.found.some(({ severity }) => severity === 'error')) return undefined;
  const included = new Map<Item, { path: string; content: Content }>();
  for (const item of context.outline.all) {
    if (item.kind !== 'include') continue;
    const inner = documents.get(item);
    if (inner?.content === undefined) return undefined;
    included.set(item, { path: inner.file.path, content: inner.content });
  }
  const { roots } = context.outline;
  const nodes = (items: readonly Item[]) => buildNodes({ ...context, included }, items);
  return contentOf(context.tree, {
    inputs: context.inputs,
    preconditions: nodes(roots.preconditions),
    steps: nodes(roots.steps),
    verifications: nodes(roots.verifications),
    rollback: nodes(roots.rollback),
  });
}

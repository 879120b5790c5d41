import type { ChangeStepType, Observation, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekRepairOutputs, MekRepairWith } from '../../generated/types.ts';
import { replacePrivateKey } from '../../keys/mek-change.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import { asJson } from '../kubectl/observing.ts';
import type { MekOutline } from './changes.ts';
import { diffLines, hashIn, lostKeys, outlineOf, sayLost } from './changes.ts';
import type { OpenDocument } from './document.ts';
import { openDocument, openVersion } from './document.ts';
import { captured, documentWitness, observeDocument, prepare, stateOf } from './preparing.ts';
import { proveRows } from './row-proof.ts';
import {
  cassandraAccess,
  cassandraResource,
  credentialsPath,
  dataPath,
  documentNeeds,
  documentResources,
  groupProblems,
  namespaceOf,
  openbaoAccess,
} from './target.ts';
import { mayBeOnItsWay } from './trail.ts';
import { changed, moved, writeDocument } from './writing.ts';

interface State {
  readonly version: number;
  readonly mount: string;
  readonly outline: MekOutline;
  /** Kids of `private_jwks` with the hash of the bytes that they are to have. */
  readonly right: readonly { readonly kid: string; readonly hash: string }[];
}

const proofFile = 'rows';

export const repair: ChangeStepType<MekRepairWith, MekRepairOutputs> = {
  type: 'mek.repair',
  effect: 'change',
  timeout: 10 * 60_000,
  describe: ({ fromVersion, openbao }) =>
    `put overwritten keys of private_jwks back as version ${fromVersion} has them, in OpenBao of ${namespaceOf(openbao)}`,
  resources: ({ openbao, apiKeys }) => [
    ...documentResources(openbao, 'write'),
    cassandraResource(apiKeys, 'api-keys', 'read'),
  ],
  access: ({ openbao, apiKeys }) => [
    ...openbaoAccess(openbao, documentNeeds(openbao, ['update'])),
    ...cassandraAccess(apiKeys, 'api-keys'),
  ],
  check: ({ openbao, apiKeys }) => [
    ...groupProblems('openbao', openbao),
    ...groupProblems('apiKeys', apiKeys),
  ],

  async predict(input, ctx) {
    const { open, from, notes } = await prepared(input, ctx);
    const kids = overwritten(from.document, open.document).map(({ kid }) => kid);
    const rows = await proveRows(ctx, input, { kids, right: from.document, present: open.document });
    return {
      predictable: true,
      changes: kids.length > 0,
      diff: diffLines(open.document, replaced(open.document, from.document, kids)),
      outputs: { kids, rowsProven: rows },
      notes: [
        `${rows} rows of API Keys open with the earlier bytes, and none with the present ones`,
        ...missingNotes(from.document, open.document),
        ...notes,
      ],
      duration: { min: 2000, max: 2 * 60_000 },
    };
  },

  async capture(input, ctx) {
    const { open, from, mount } = await prepared(input, ctx);
    const state: State = {
      version: open.version,
      mount,
      outline: outlineOf(open.document),
      right: overwritten(from.document, open.document),
    };
    return { state: asJson(state), witnesses: [documentWitness(open, mount)] };
  },

  async run(input, ctx) {
    const state = captured<State>(ctx);
    const open = await openDocument(ctx, input.openbao);
    if (!isRight(open.document, state)) {
      if (open.version !== state.version) throw await moved(ctx, open, state.version);
      const from = await openVersion(ctx, open.bao, input.fromVersion);
      const kids = state.right.map(({ kid }) => kid);
      const rows = await proveRows(ctx, input, { kids, right: from.document, present: open.document });
      await ctx.keep(proofFile, new TextEncoder().encode(`${rows}\n`));
      const next = replaced(open.document, from.document, kids);
      await writeDocument(ctx, open, { next, mayGo: placesOf(kids) });
    }
    return await outputsOf(ctx, state, open);
  },

  observe: (input, before, ctx) =>
    observeDocument(ctx, input.openbao, (open) => judge(ctx, stateOf<State>(before), open)),

  undoes: 'put the keys back that private_jwks has now',

  async undo(input, before, _outputs, ctx) {
    const { version, outline, right } = stateOf<State>(before);
    const open = await openDocument(ctx, input.openbao);
    const kids = right
      .map(({ kid }) => kid)
      .filter((kid) => hashIn(open.document, 'private_jwks', kid) !== hashIn(outline, 'private_jwks', kid));
    if (kids.length === 0) return;
    const previous = await openVersion(ctx, open.bao, version);
    const next = replaced(open.document, previous.document, kids);
    await writeDocument(ctx, open, { next, mayGo: placesOf(kids) });
  },
};

async function prepared({ openbao, apiKeys, fromVersion }: MekRepairWith, ctx: ReadContext) {
  const credentials = { path: dataPath(credentialsPath(apiKeys, 'api-keys')), capabilities: ['read'] };
  const needs = [...documentNeeds(openbao, ['update']), credentials];
  const found = await prepare(ctx, openbao, { needs });
  if (fromVersion >= found.open.version)
    throw new StepError(
      'invalid-input',
      `Version ${fromVersion} is not earlier than the present one, ${found.open.version}.`,
      { outcome: 'not-applied', hint: 'mek.inspect with history: true names the newest intact version.' },
    );
  return { ...found, from: await openVersion(ctx, found.open.bao, fromVersion) };
}

function overwritten(from: MekDocument, now: MekDocument): State['right'] {
  return lostKeys(from, now)
    .filter((lost) => lost.set === 'private_jwks' && lost.now !== undefined)
    .map(({ kid, hash }) => ({ kid, hash }));
}

function missingNotes(from: MekDocument, now: MekDocument): readonly string[] {
  const gone = lostKeys(from, now).filter((lost) => lost.now === undefined);
  return gone.length === 0
    ? []
    : [
        `it does not bring back what is missing altogether (mek.restore does): ${gone.map(sayLost).join('; ')}`,
      ];
}

function replaced(now: MekDocument, from: MekDocument, kids: readonly string[]): MekDocument {
  return kids.reduce((document, kid) => changed(replacePrivateKey(document, { kid, from })), now);
}

function placesOf(kids: readonly string[]) {
  return kids.map((kid) => ({ set: 'private_jwks' as const, kid }));
}

function isRight(document: MekOutline, { right }: State): boolean {
  return right.every(({ kid, hash }) => hashIn(document, 'private_jwks', kid) === hash);
}

async function outputsOf(ctx: ReadContext, state: State, open: OpenDocument): Promise<MekRepairOutputs> {
  const kept = new TextDecoder().decode(await ctx.kept(proofFile));
  const kids = state.right.map(({ kid }) => kid);
  return {
    version: kids.length === 0 ? open.version : state.version + 1,
    previousVersion: state.version,
    kids,
    rowsProven: Number(kept.trim().split('\n').at(-1) ?? 0),
  };
}

async function judge(ctx: ReadContext, state: State, open: OpenDocument): Promise<Observation> {
  const { outline, right, version, mount } = state;
  const { document } = open;
  const where = `version ${open.version}`;
  const wrong = lostKeys(outline, document).filter(
    ({ set, kid, now }) =>
      !right.some((key) => set === 'private_jwks' && key.kid === kid && key.hash === now),
  );
  if (wrong.length > 0)
    return { state: 'conflict', evidence: `somebody else wrote ${where}: ${wrong.map(sayLost).join('; ')}` };
  if (isRight(document, state))
    return {
      state: 'applied',
      evidence: `${where} has the earlier bytes of ${right.length} keys in private_jwks`,
      outputs: asJson(await outputsOf(ctx, state, open)),
      witnesses: [documentWitness(open, mount)],
    };
  if (open.version === version && (await mayBeOnItsWay(ctx, version)))
    return {
      state: 'in-progress',
      evidence: `a write got no answer; ${where} has the overwritten bytes yet`,
    };
  return { state: 'not-applied', evidence: `${where} has the overwritten bytes` };
}

import type { ChangeStepType, Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekPublishOutputs, MekPublishWith } from '../../generated/types.ts';
import { newKid } from '../../keys/kid.ts';
import { appendKey, withdrawKey } from '../../keys/mek-change.ts';
import { asJson } from '../kubectl/observing.ts';
import type { MekOutline } from './changes.ts';
import { changeSentences, hashIn, isActive, lostKeys, outlineOf, sayLost, setsWith } from './changes.ts';
import type { OpenDocument } from './document.ts';
import { openDocument, openIfKept } from './document.ts';
import { readHistory } from './history.ts';
import { requireClock } from './openbao.ts';
import { captured, documentWitness, observeDocument, prepare, stateOf } from './preparing.ts';
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
import { hasWrittenSince, keptBecause, mayBeOnItsWay, noteKept } from './trail.ts';
import { whyMayBeInUse } from './use.ts';
import { changed, moved, writeDocument } from './writing.ts';

interface State {
  readonly version: number;
  readonly mount: string;
  readonly kid: string;
  readonly outline: MekOutline;
}

export const publish: ChangeStepType<MekPublishWith, MekPublishOutputs> = {
  type: 'mek.publish',
  effect: 'change',
  timeout: 2 * 60_000,
  describe: ({ openbao }) => `append a new master key to both sets, in OpenBao of ${namespaceOf(openbao)}`,
  resources: ({ openbao, cassandra, apiKeys }) => [
    ...documentResources(openbao, 'write'),
    cassandraResource(cassandra, 'ess', 'read'),
    cassandraResource(apiKeys, 'api-keys', 'read'),
  ],
  access: (input) => [
    ...openbaoAccess(input.openbao, documentNeeds(input.openbao, ['update'])),
    ...cassandraAccess(input.cassandra, 'ess'),
    ...cassandraAccess(input.apiKeys, 'api-keys'),
  ],
  check: (input) => [
    ...groupProblems('openbao', input.openbao),
    ...groupProblems('cassandra', input.cassandra),
    ...groupProblems('apiKeys', input.apiKeys),
  ],

  async predict(input, ctx) {
    const { open, notes } = await prepared(input, ctx);
    const { keys, privateJwks, currentKid } = open.document;
    const line = '+ ‹new kid› (new key)';
    return {
      predictable: true,
      changes: true,
      diff: [
        { path: `keys[${keys.length}]`, after: line },
        { path: `private_jwks[${privateJwks.length}]`, after: line },
      ],
      outputs: { previousVersion: open.version, previousKid: currentKid },
      notes: [`kid ${currentKid} stays the active one`, ...notes],
      duration: { min: 500, max: 20_000 },
    };
  },

  async capture(input, ctx) {
    const { open, mount } = await prepared(input, ctx);
    const { version, document, bao } = open;
    const { versions } = await readHistory(ctx, bao);
    const past = versions.flatMap((one) => one.document ?? []);
    const others = [document, ...past].flatMap(({ keys, privateJwks }) =>
      [...keys, ...privateJwks].map(({ kid }) => kid),
    );
    const made = newKid({ now: requireClock(ctx, bao), others });
    if (!made.ok)
      throw new StepError('kid-refused', made.problem, {
        outcome: 'not-applied',
        hint: 'A kid from the future was made by a machine whose clock was wrong. Wait until that time has passed.',
      });
    const state = { version, mount, kid: made.kid, outline: outlineOf(document) };
    return { state: asJson(state), witnesses: [documentWitness(open, mount)] };
  },

  async run(input, ctx) {
    const state = captured<State>(ctx);
    const open = await openDocument(ctx, input.openbao);
    if (setsWith(open.document, state.kid).length === 2) return outputsOf(state, open);
    if (open.version !== state.version) throw await moved(ctx, open, state.version);
    const next = changed(appendKey(open.document, { kid: state.kid }));
    return outputsOf(state, await writeDocument(ctx, open, { next }));
  },

  observe: (input, before, ctx) =>
    observeDocument(ctx, input.openbao, (open) => judge(ctx, stateOf<State>(before), open)),

  undoes:
    'take the new key out again, once it is proven that nothing was encrypted with it; otherwise it stays, unused',

  async undo(input, before, _outputs, ctx) {
    const state = stateOf<State>(before);
    const open = await openDocument(ctx, input.openbao);
    const { document } = open;
    if (setsWith(document, state.kid).length === 0) return;
    requireInactive(open, state.kid);
    const since = { kid: state.kid, from: state.version + 1 };
    const [why] = await whyMayBeInUse(ctx, input, { open, ...since });
    if (why !== undefined) return await keep(ctx, state.kid, why);
    const next = changed(withdrawKey(document, state.kid));
    const mayGo = setsWith(document, state.kid).map((set) => ({ set, kid: state.kid }));
    await writeDocument(ctx, open, { next, mayGo });
  },
};

async function prepared(input: MekPublishWith, ctx: ReadContext) {
  const needs = [
    ...documentNeeds(input.openbao, ['update']),
    { path: dataPath(credentialsPath(input.cassandra, 'ess')), capabilities: ['read'] },
    { path: dataPath(credentialsPath(input.apiKeys, 'api-keys')), capabilities: ['read'] },
  ];
  const found = await prepare(ctx, input.openbao, { needs, after: input.after });
  requireClock(ctx, found.open.bao);
  return found;
}

function outputsOf({ kid, version, outline }: State, open: OpenDocument): MekPublishOutputs {
  return {
    kid,
    hash: hashIn(open.document, 'keys', kid) ?? '',
    privateHash: hashIn(open.document, 'private_jwks', kid) ?? '',
    // Check-and-set: the key can have come with no other version.
    version: version + 1,
    previousVersion: version,
    previousKid: outline.currentKid,
  };
}

async function judge(ctx: ReadContext, state: State, open: OpenDocument): Promise<Observation> {
  const { kid, version, outline, mount } = state;
  const sets = setsWith(open.document, kid);
  const where = `version ${open.version}`;
  if (sets.length === 1)
    return { state: 'conflict', evidence: `${where} has kid ${kid} in ${sets[0]} alone` };
  if (sets.length === 2) {
    const kept = await keptBecause(ctx);
    if (kept !== undefined && !isActive(open.document, kid))
      return { state: 'not-applied', evidence: `kid ${kid} stays, on purpose: ${kept}. It is not active` };
    const lost = lostKeys(outline, open.document);
    if (lost.length > 0)
      return { state: 'conflict', evidence: `${where} has kid ${kid}, but ${lost.map(sayLost).join('; ')}` };
    return {
      state: 'applied',
      evidence: `${where} has kid ${kid} in both sets, and every key of version ${version}`,
      outputs: asJson(outputsOf(state, open)),
      witnesses: [documentWitness(open, mount)],
    };
  }
  return await judgeAbsence(ctx, state, open);
}

async function judgeAbsence(ctx: ReadContext, state: State, open: OpenDocument): Promise<Observation> {
  const { kid, version, outline } = state;
  const where = `version ${open.version}`;
  if (open.version === version && (await mayBeOnItsWay(ctx, version)))
    return { state: 'in-progress', evidence: `a write got no answer; ${where} does not have kid ${kid} yet` };
  const written = open.version > version ? await openIfKept(ctx, open, version + 1) : undefined;
  const had = written !== undefined && setsWith(written.document, kid).length > 0;
  if (had && !(await hasWrittenSince(ctx, version)))
    return {
      state: 'conflict',
      evidence: `kid ${kid} came with version ${version + 1}, but ${where}, which somebody else wrote, has lost it`,
    };
  const { document } = open;
  if (lostKeys(outline, document).length > 0 || !isActive(document, outline.currentKid)) {
    const changes = changeSentences(outline, document).join('; ');
    return { state: 'conflict', evidence: `somebody else wrote ${where}: ${changes}` };
  }
  return { state: 'not-applied', evidence: `${where} does not have kid ${kid}, and has every other key` };
}

function requireInactive({ document, version }: OpenDocument, kid: string): void {
  if (document.currentKid !== kid && document.keys[0]?.kid !== kid) return;
  throw new StepError('key-active', `Kid ${kid} is the active key in version ${version}: it must stay.`, {
    outcome: 'not-applied',
    hint: 'Make the previous key active first (mek.activate with its kid).',
  });
}

async function keep(ctx: RunContext, kid: string, why: string): Promise<void> {
  ctx.progress({ text: `kid ${kid} stays in the document: ${why}` });
  await noteKept(ctx, why);
}

import type { ChangeStepType, Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekRetireOutputs, MekRetireWith } from '../../generated/types.ts';
import { mergeKeys, retireKey } from '../../keys/mek-change.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import { asJson } from '../kubectl/observing.ts';
import { access } from '../kubectl/target.ts';
import { portForwardAccess } from '../pod-access.ts';
import type { MekOutline } from './changes.ts';
import { diffLines, isActive, lostKeys, outlineOf, sayLost, setsWith } from './changes.ts';
import { consumerProblems } from './consumers.ts';
import type { OpenDocument } from './document.ts';
import { openDocument, openVersion } from './document.ts';
import type { Gate } from './gates.ts';
import { durationProblems, lookAtGates } from './gates.ts';
import { captured, documentWitness, observeDocument, prepare, stateOf } from './preparing.ts';
import {
  cassandraAccess,
  cassandraResource,
  credentialsPath,
  dataPath,
  documentNeeds,
  documentResources,
  groupProblems,
  listOf,
  namespaceOf,
  openbaoAccess,
} from './target.ts';
import { mayBeOnItsWay } from './trail.ts';
import { changed, moved, writeDocument } from './writing.ts';

interface State {
  readonly version: number;
  readonly mount: string;
  readonly outline: MekOutline;
}

const gatesFile = 'gates';

export const retire: ChangeStepType<MekRetireWith, MekRetireOutputs> = {
  type: 'mek.retire',
  effect: 'change',
  timeout: 15 * 60_000,
  describe: ({ kid, openbao }) =>
    `take master key ${kid} out of OpenBao of ${namespaceOf(openbao)}, once nothing needs it`,
  resources: (input) => [
    ...documentResources(input.openbao, 'write'),
    cassandraResource(input.cassandra, 'ess', 'read'),
    cassandraResource(input.apiKeys, 'api-keys', 'read'),
    ...listOf(input.consumers).map(({ namespace }) => ({
      path: `kubernetes/${/[‹\s]/.test(namespace) ? '*' : namespace}/pods/*`,
      mode: 'read' as const,
    })),
  ],
  access: (input) => [
    ...openbaoAccess(input.openbao, documentNeeds(input.openbao, ['update'])),
    ...cassandraAccess(input.cassandra, 'ess'),
    ...cassandraAccess(input.apiKeys, 'api-keys'),
    ...listOf(input.consumers).flatMap(({ namespace, loads }) => [
      ...access(['list'], 'pods', { namespace }),
      ...(loads === 'reload' ? access(['get'], 'pods', { namespace, subresource: 'log' }) : []),
      ...(loads === 'reload' ? portForwardAccess(namespace) : []),
    ]),
  ],
  check: (input) => [
    ...groupProblems('openbao', input.openbao),
    ...groupProblems('cassandra', input.cassandra),
    ...groupProblems('apiKeys', input.apiKeys),
    ...consumerProblems(input.consumers),
    ...durationProblems(input),
  ],

  async predict(input, ctx) {
    const { open, notes } = await prepared(input, ctx);
    const without = changed(retireKey(open.document, input.kid));
    const gates = await lookAtGates(ctx, input, { open, without });
    return {
      predictable: true,
      changes: true,
      diff: diffLines(open.document, without),
      outputs: { kid: input.kid, previousVersion: open.version },
      notes: [
        ...gates.filter(({ ok }) => !ok).map((gate) => `it would be refused now: ${say(gate)}`),
        ...gates.filter(({ ok }) => ok).map(say),
        ...notes,
      ],
      duration: { min: 2000, max: 5 * 60_000 },
    };
  },

  async capture(input, ctx) {
    const { open, mount } = await prepared(input, ctx);
    const state: State = { version: open.version, mount, outline: outlineOf(open.document) };
    return { state: asJson(state), witnesses: [documentWitness(open, mount)] };
  },

  async run(input, ctx) {
    const { version } = captured<State>(ctx);
    const { kid } = input;
    const open = await openDocument(ctx, input.openbao);
    const sets = setsWith(open.document, kid);
    if (sets.length > 0) {
      if (open.version !== version) throw await moved(ctx, open, version);
      const next = changed(retireKey(open.document, kid));
      await requireGates(ctx, input, { open, without: next });
      await writeDocument(ctx, open, { next, mayGo: sets.map((set) => ({ set, kid })) });
    }
    return await outputsOf(ctx, kid, version);
  },

  observe: (input, before, ctx) =>
    observeDocument(ctx, input.openbao, (open) =>
      judge(ctx, { ...stateOf<State>(before), kid: input.kid }, open),
    ),

  undoes: 'put the key back at the end of both sets',

  async undo(input, before, _outputs, ctx) {
    const { version } = stateOf<State>(before);
    const open = await openDocument(ctx, input.openbao);
    if (setsWith(open.document, input.kid).length === 2) return;
    const previous = await openVersion(ctx, open.bao, version);
    const merged = mergeKeys(open.document, only(previous.document, { kid: input.kid, now: open.document }));
    if (!merged.ok)
      throw new StepError('mek-change-refused', merged.problem, {
        outcome: 'not-applied',
        hint: `The key is in version ${version}, and in the backups (mek.restore).`,
      });
    await writeDocument(ctx, open, { next: merged.document });
  },
};

async function prepared({ openbao, cassandra, apiKeys, kid }: MekRetireWith, ctx: ReadContext) {
  const needs = [
    ...documentNeeds(openbao, ['update']),
    { path: dataPath(credentialsPath(cassandra, 'ess')), capabilities: ['read'] },
    { path: dataPath(credentialsPath(apiKeys, 'api-keys')), capabilities: ['read'] },
  ];
  const found = await prepare(ctx, openbao, { needs });
  const { document, version } = found.open;
  if (setsWith(document, kid).length === 0)
    throw new StepError('kid-missing', `There is no key ${kid} in version ${version}.`, {
      outcome: 'not-applied',
      hint: 'mek.inspect lists the keys.',
    });
  return found;
}

function say({ gate, evidence }: Gate): string {
  return `${gate}: ${evidence}`;
}

async function requireGates(
  ctx: RunContext,
  input: MekRetireWith,
  documents: { readonly open: OpenDocument; readonly without: MekDocument },
): Promise<void> {
  const gates = await lookAtGates(ctx, input, documents);
  const shut = gates.filter(({ ok }) => !ok);
  if (shut.length > 0)
    throw new StepError(
      'retire-refused',
      `${input.kid} must stay: ${shut.length} of ${gates.length} gates do not hold (${shut.map(({ gate }) => gate).join(', ')}).`,
      {
        outcome: 'not-applied',
        details: shut.map(say),
        hint: 'A key that stays does no harm. Run it again when these hold.',
      },
    );
  // For the outputs, if this process ends before it can give them.
  const evidence = gates.map(({ gate, evidence: seen }) => ({ gate, evidence: seen }));
  await ctx.keep(gatesFile, new TextEncoder().encode(`${JSON.stringify(evidence)}\n`));
}

async function outputsOf(ctx: ReadContext, kid: string, version: number): Promise<MekRetireOutputs> {
  const kept = new TextDecoder().decode(await ctx.kept(gatesFile));
  const last = kept.split('\n').at(-2);
  const gates = last === undefined ? [] : (JSON.parse(last) as MekRetireOutputs['gates']);
  return { kid, version: version + 1, previousVersion: version, gates };
}

/** The earlier document with no other key than this one that the present one lacks. */
function only(
  previous: MekDocument,
  { kid, now }: { readonly kid: string; readonly now: MekDocument },
): MekDocument {
  const others = new Set(
    lostKeys(previous, now)
      .filter((lost) => lost.now === undefined && lost.kid !== kid)
      .map((lost) => lost.kid),
  );
  return [...others].reduce((document, other) => changed(retireKey(document, other)), previous);
}

async function judge(
  ctx: ReadContext,
  { kid, version, outline, mount }: State & { readonly kid: string },
  open: OpenDocument,
): Promise<Observation> {
  const { document } = open;
  const where = `version ${open.version}`;
  const lost = lostKeys(outline, document).filter((key) => key.kid !== kid || key.now !== undefined);
  if (lost.length > 0)
    return { state: 'conflict', evidence: `somebody else wrote ${where}: ${lost.map(sayLost).join('; ')}` };
  const sets = setsWith(document, kid);
  if (sets.length === 0)
    return {
      state: 'applied',
      evidence: `${where} does not have ${kid}, and has every other key of version ${version}`,
      outputs: asJson(await outputsOf(ctx, kid, version)),
      witnesses: [documentWitness(open, mount)],
    };
  if (sets.length < setsWith(outline, kid).length)
    return { state: 'conflict', evidence: `${where} has ${kid} in ${sets[0]} alone` };
  if (open.version === version && (await mayBeOnItsWay(ctx, version)))
    return { state: 'in-progress', evidence: `a write got no answer; ${where} still has ${kid}` };
  if (isActive(document, kid) && !isActive(outline, kid))
    return { state: 'conflict', evidence: `somebody made ${kid} the active key in ${where}` };
  return { state: 'not-applied', evidence: `${where} has ${kid}` };
}

import type { ChangeStepType, Observation, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekActivateOutputs, MekActivateWith } from '../../generated/types.ts';
import { uuidV1Time } from '../../keys/kid.ts';
import { activateKey } from '../../keys/mek-change.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import { asJson } from '../kubectl/observing.ts';
import type { MekOutline } from './changes.ts';
import { changeSentences, diffLines, isActive, lostKeys, outlineOf, sayLost, setsWith } from './changes.ts';
import type { OpenDocument } from './document.ts';
import { openDocument } from './document.ts';
import { activeSince, readHistory } from './history.ts';
import { captured, documentWitness, observeDocument, prepare, stateOf } from './preparing.ts';
import { documentNeeds, documentResources, groupProblems, namespaceOf, openbaoAccess } from './target.ts';
import { mayBeOnItsWay } from './trail.ts';
import { changed, moved, writeDocument } from './writing.ts';

interface State {
  readonly version: number;
  readonly mount: string;
  readonly outline: MekOutline;
}

export const activate: ChangeStepType<MekActivateWith, MekActivateOutputs> = {
  type: 'mek.activate',
  effect: 'change',
  timeout: 2 * 60_000,
  describe: ({ kid, openbao }) => `make ${kid} the active master key in OpenBao of ${namespaceOf(openbao)}`,
  resources: ({ openbao }) => documentResources(openbao, 'write'),
  access: ({ openbao }) => openbaoAccess(openbao, documentNeeds(openbao, ['update'])),
  check: ({ openbao }) => groupProblems('openbao', openbao),

  async predict(input, ctx) {
    const { open, notes } = await prepared(input, ctx);
    const { document } = open;
    const { kid } = input;
    const next = changed(activateKey(document, kid));
    const changes = !isActive(document, kid);
    return {
      predictable: true,
      changes,
      diff: changes ? diffLines(document, next) : [],
      outputs: { kid, ...(changes && { previousKid: document.currentKid }) },
      notes: [...ageNotes(document, kid), ...notes],
      duration: { min: 500, max: 20_000 },
    };
  },

  async capture(input, ctx) {
    const { open, mount } = await prepared(input, ctx);
    const state: State = { version: open.version, mount, outline: outlineOf(open.document) };
    return { state: asJson(state), witnesses: [documentWitness(open, mount)] };
  },

  async run(input, ctx) {
    const { version, outline } = captured<State>(ctx);
    const { kid } = input;
    const open = await openDocument(ctx, input.openbao);
    if (isActive(open.document, kid)) return await outputsNow(ctx, open, kid);
    if (open.version !== version) throw await moved(ctx, open, version);
    const next = changed(activateKey(open.document, kid));
    const written = await writeDocument(ctx, open, { next });
    return {
      kid,
      version: written.version,
      previousKid: outline.currentKid,
      activatedAt: written.createdTime,
    };
  },

  observe: (input, before, ctx) =>
    observeDocument(ctx, input.openbao, (open) =>
      judge(ctx, { ...stateOf<State>(before), kid: input.kid }, open),
    ),

  undoes:
    'make the earlier key the active one again; the new key stays, because something may be encrypted with it',

  async undo(input, before, _outputs, ctx) {
    const { outline } = stateOf<State>(before);
    const { kid } = input;
    const previous = outline.currentKid;
    const open = await openDocument(ctx, input.openbao);
    const { document } = open;
    if (previous === kid || isActive(document, previous)) return;
    if (!isActive(document, kid))
      throw new StepError(
        'conflict',
        `Somebody made ${document.currentKid} the active key after ${kid}; nothing was changed.`,
        {
          outcome: 'not-applied',
          hint: `If ${previous} is to be active again: mek.activate with kid: ${previous}.`,
        },
      );
    // Demoted, never removed: something may be encrypted with it since.
    const next = changed(activateKey(document, previous));
    await writeDocument(ctx, open, { next });
  },
};

async function prepared({ openbao, kid, after }: MekActivateWith, ctx: ReadContext) {
  const found = await prepare(ctx, openbao, { needs: documentNeeds(openbao, ['update']), after });
  const sets = setsWith(found.open.document, kid);
  if (sets.length === 2) return found;
  const { keys } = found.open.document;
  throw new StepError(
    'kid-missing',
    sets.length === 0
      ? `There is no key ${kid} in version ${found.open.version}.`
      : `The key ${kid} is in ${sets[0]} alone: the services that read the other set could not use it.`,
    {
      outcome: 'not-applied',
      details: [`keys has: ${keys.map((key) => key.kid).join(', ')}`],
      hint: 'Publish a key first (mek.publish) and give its kid.',
    },
  );
}

function ageNotes({ currentKid }: MekDocument, kid: string): readonly string[] {
  const [time, active] = [uuidV1Time(kid), uuidV1Time(currentKid)];
  if (time === undefined || active === undefined || time >= active) return [];
  return [`${kid} is older than ${currentKid}: ESS itself would not wrap anything back to it`];
}

async function outputsNow(ctx: ReadContext, open: OpenDocument, kid: string): Promise<MekActivateOutputs> {
  const { versions } = await readHistory(ctx, open.bao);
  const since = activeSince(versions, kid);
  return {
    kid,
    version: since?.version ?? open.version,
    previousKid: since?.previousKid ?? '',
    activatedAt: since?.createdTime ?? open.createdTime,
  };
}

/** What was captured knows the key before, also when the version before is kept no more. */
async function outputsSince(
  ctx: ReadContext,
  before: Pick<State, 'version' | 'outline'>,
  now: { readonly open: OpenDocument; readonly kid: string },
): Promise<MekActivateOutputs> {
  const outputs = await outputsNow(ctx, now.open, now.kid);
  return outputs.version > before.version ? { ...outputs, previousKid: before.outline.currentKid } : outputs;
}

async function judge(
  ctx: ReadContext,
  { kid, version, outline, mount }: State & { readonly kid: string },
  open: OpenDocument,
): Promise<Observation> {
  const { document } = open;
  const where = `version ${open.version}`;
  const lost = lostKeys(outline, document);
  if (lost.length > 0)
    return { state: 'conflict', evidence: `somebody else wrote ${where}: ${lost.map(sayLost).join('; ')}` };
  if (isActive(document, kid))
    return {
      state: 'applied',
      evidence: `${where} has ${kid} first and as current_kid, and every key of version ${version}`,
      outputs: asJson(await outputsSince(ctx, { version, outline }, { open, kid })),
      witnesses: [documentWitness(open, mount)],
    };
  if (open.version === version && (await mayBeOnItsWay(ctx, version)))
    return {
      state: 'in-progress',
      evidence: `a write got no answer; ${document.currentKid} is still active`,
    };
  if (isActive(document, outline.currentKid))
    return { state: 'not-applied', evidence: `${outline.currentKid} is active in ${where}, not ${kid}` };
  const changes = changeSentences(outline, document).join('; ');
  return { state: 'conflict', evidence: `somebody else wrote ${where}: ${changes}` };
}

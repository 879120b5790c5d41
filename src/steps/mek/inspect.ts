import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import type { MekInspectOutputs, MekInspectWith } from '../../generated/types.ts';
import { shortHash } from '../../keys/hash.ts';
import { uuidV1Time } from '../../keys/kid.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import type { KvMetadata } from '../../services/openbao.ts';
import { hashIn } from './changes.ts';
import { parseProtected } from './document.ts';
import type { History } from './history.ts';
import { judgeHistory, readHistory } from './history.ts';
import type { Bao } from './openbao.ts';
import { clockProblem, connect, nothingThere, readKv, readMetadata, requireVersioned } from './openbao.ts';
import { documentNeeds, documentResources, groupProblems, namespaceOf, openbaoAccess } from './target.ts';

type Keys = MekInspectOutputs['keys'];
type Past = Pick<MekInspectOutputs, 'versions' | 'damaged' | 'damage' | 'newestIntactPrivateJwks'>;
type Present = Pick<
  MekInspectOutputs,
  | 'valid'
  | 'problems'
  | 'warnings'
  | 'currentKid'
  | 'firstKid'
  | 'kids'
  | 'keys'
  | 'privateJwks'
  | 'differing'
>;

export const inspect: ReadStepType<MekInspectWith, MekInspectOutputs> = {
  type: 'mek.inspect',
  effect: 'read',
  timeout: 2 * 60_000,
  describe: ({ openbao, history }) =>
    `read the master keys${history === true ? ' and their history' : ''} in OpenBao of ${namespaceOf(openbao)}`,
  resources: ({ openbao }) => documentResources(openbao, 'read'),
  access: ({ openbao }) => openbaoAccess(openbao, documentNeeds(openbao)),
  check: ({ openbao }) => groupProblems('openbao', openbao),
  findings: ({ version, problems, damage }) => ({
    details: [...problems.map((problem) => `version ${version}: ${problem}`), ...damage],
    ...(problems.length + damage.length === 0 ? {} : { hint: wayOut(problems.length > 0) }),
  }),

  async run(input, ctx) {
    const bao = await connect(ctx, input.openbao);
    await requireVersioned(ctx, bao, bao.at);
    const { version, createdTime, data } = await readKv(ctx, bao, bao.at);
    const read = parseProtected(ctx, data);
    const present = read.ok ? presentOf(read.document, read.warnings) : invalid(read.problems);
    const history = input.history === true ? await readHistory(ctx, bao) : undefined;
    const metadata = history?.metadata ?? (await mustReadMetadata(ctx, bao));
    const past = pastOf(history);
    return {
      version,
      createdTime,
      casRequired: metadata.casRequired,
      maxVersions: metadata.maxVersions,
      // OpenBao itself says 0 until it has dropped a version for the first time.
      oldestVersion: metadata.versions[0]?.version ?? metadata.oldestVersion,
      ...present,
      ...past,
      clockProblem: clockProblem(ctx, bao),
      summary: summary(version, present, past),
    };
  },
};

function wayOut(invalid: boolean): string {
  return invalid
    ? 'mek-audit shows its history. Write an earlier version that is valid again (bao.kv-put), or bring keys back from a backup (mek-restore-from-backup).'
    : 'Keys of private_jwks come back by mek-repair-private-jwks, others from a backup by mek-restore-from-backup.';
}

async function mustReadMetadata(ctx: ReadContext, bao: Bao): Promise<KvMetadata> {
  const metadata = await readMetadata(ctx, bao, bao.at);
  if (metadata !== undefined) return metadata;
  throw await nothingThere(ctx, bao, bao.at, { state: 'not-found', reason: 'absent' });
}

function presentOf(document: MekDocument, warnings: readonly string[]): Present {
  return {
    valid: true,
    problems: [],
    warnings: [...warnings],
    currentKid: document.currentKid,
    firstKid: document.keys[0]?.kid ?? '',
    kids: document.keys.map(({ kid }) => kid),
    keys: keysOf(document.keys),
    privateJwks: keysOf(document.privateJwks),
    differing: document.keys
      .filter(({ kid, hash }) => ![undefined, hash].includes(hashIn(document, 'private_jwks', kid)))
      .map(({ kid }) => kid),
  };
}

function invalid(problems: readonly string[]): Present {
  return {
    valid: false,
    problems: [...problems],
    warnings: [],
    currentKid: '',
    firstKid: '',
    kids: [],
    keys: [],
    privateJwks: [],
    differing: [],
  };
}

function keysOf(keys: MekDocument['keys']): Keys {
  return keys.map(({ kid, hash }) => {
    const born = uuidV1Time(kid);
    return { kid, hash, bornAt: born === undefined ? '' : new Date(born).toISOString() };
  });
}

function pastOf(history: History | undefined): Past {
  if (history === undefined) return { versions: [], damaged: false, damage: [], newestIntactPrivateJwks: 0 };
  const { versions, damage, newestIntactPrivateJwks } = judgeHistory(history.versions);
  return {
    versions: versions.map(({ version, createdTime, state, document, change, problems }) => ({
      version,
      createdTime,
      state,
      currentKid: document?.currentKid ?? '',
      kids: (document?.keys ?? []).map(({ kid }) => kid),
      change,
      problems: [...problems],
    })),
    damaged: damage.length > 0,
    damage: [...damage],
    newestIntactPrivateJwks,
  };
}

function summary(version: number, present: Present, { damage }: Past): string {
  if (!present.valid) return `version ${version} is no master key document: ${present.problems[0] ?? ''}`;
  const { keys, privateJwks, currentKid } = present;
  const active = keys.find(({ kid }) => kid === currentKid);
  const count = `${keys.length} in keys, ${privateJwks.length} in private_jwks`;
  const amiss = damage.length === 0 ? '' : `; damaged: ${damage[0]}`;
  return `version ${version}: ${count}, active is ${currentKid} (${shortHash(active?.hash ?? '')})${amiss}`;
}

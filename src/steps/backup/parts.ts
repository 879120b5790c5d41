import { Secret } from '../../engine/secret.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import { parseBackup } from '../../keys/backup-content.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import { parseNekBackup } from '../../keys/nek-backup-content.ts';
import { rowVerdict } from '../../keys/nek-row.ts';
import { parseSecretCopy, protectCopy } from '../kubectl/secret-copy.ts';
import { parseProtected } from '../mek/document.ts';
import { readWhole } from './kept-file.ts';
import { type Manifest, type ManifestFile, pathOf } from './manifest-content.ts';
import { type BackupKeys, unseal } from './sealing.ts';

export interface Proof {
  readonly problems: readonly string[];
  /** Rows of namespace keys in the backup. */
  readonly rows: number;
  /** Of these, how many ESS could use with the master keys of the backup. */
  readonly opened: number;
}

type Keys = BackupKeys & { readonly manifest: string };

const largest = 4 * 1024 ** 3;
const named = 20;

/** Opens the files of a backup, each as what it is, and compares what they hold with the manifest and with each other. */
export async function proveParts(
  ctx: ReadContext,
  keys: Keys,
  { manifest, files }: { readonly manifest: Manifest; readonly files: readonly ManifestFile[] },
): Promise<Proof> {
  const problems: string[] = [];
  const blame = (file: ManifestFile, problem: string) => void problems.push(`${file.file}: ${problem}`);
  let document: MekDocument | undefined;
  let counted = { rows: 0, opened: 0 };
  for (const part of ['openbao', 'masterKeys', 'namespaceKeys'] as const)
    if (!manifest.files.some((file) => file.part === part)) problems.push(`the manifest names no ${part}`);
  for (const file of files.filter(({ part }) => part === 'openbao')) {
    const problem = await ctx.services.openbao.snapshotProblem(
      await readWhole(ctx, pathOf(keys.manifest, file), largest),
    );
    if (problem !== undefined) blame(file, problem);
  }
  for (const file of files.filter(({ part }) => part !== 'openbao')) {
    const opened = await unseal(await readWhole(ctx, pathOf(keys.manifest, file), largest), keys);
    if (!opened.ok) blame(file, opened.problem);
    else if (file.part === 'masterKeys') document = masterKeys(ctx, opened.plain, { manifest, file, blame });
    else if (file.part === 'secret') secret(ctx, opened.plain, { manifest, file, blame });
    else if (file.part === 'namespaceKeys')
      // The master keys come before them in every manifest that was written here.
      counted = namespaceKeys(opened.plain, { manifest, file, blame, document });
  }
  return { problems, ...counted };
}

interface Place {
  readonly manifest: Manifest;
  readonly file: ManifestFile;
  readonly blame: (file: ManifestFile, problem: string) => void;
}

function masterKeys(
  ctx: ReadContext,
  plain: Uint8Array,
  { manifest, file, blame }: Place,
): MekDocument | undefined {
  const parsed = parseBackup(plain);
  if (!parsed.ok) {
    blame(file, parsed.problem);
    return undefined;
  }
  const { cluster, version, data } = parsed.content;
  if (cluster !== manifest.cluster) blame(file, 'it is of another cluster than the manifest');
  if (version !== manifest.mek.version)
    blame(file, `it holds version ${version}, and the manifest says ${manifest.mek.version}`);
  const read = parseProtected(ctx, new Secret('master keys', data));
  if (!read.ok) {
    blame(file, `it holds no valid master key document: ${read.problems[0] ?? ''}`);
    return undefined;
  }
  const lacking = manifest.mek.kids.filter((kid) => read.document.key(kid) === undefined);
  if (lacking.length > 0) blame(file, `it lacks ${lacking.join(', ')}`);
  return read.document;
}

function secret(ctx: ReadContext, plain: Uint8Array, { manifest, file, blame }: Place): void {
  const parsed = parseSecretCopy(plain);
  if (!parsed.ok) {
    blame(file, parsed.problem);
    return;
  }
  const { copy } = parsed;
  protectCopy(ctx, copy);
  if (`${copy.namespace}/${copy.name}` !== file.of)
    blame(file, `it is Secret ${copy.namespace}/${copy.name}`);
  if (copy.cluster !== manifest.cluster) blame(file, 'it is of another cluster than the manifest');
  if (Object.keys(copy.data).length === 0) blame(file, 'it holds no value');
}

function namespaceKeys(
  plain: Uint8Array,
  { manifest, file, blame, document }: Place & { readonly document: MekDocument | undefined },
): { readonly rows: number; readonly opened: number } {
  const parsed = parseNekBackup(plain);
  if (!parsed.ok) {
    blame(file, parsed.problem);
    return { rows: 0, opened: 0 };
  }
  const { cluster, rows } = parsed.content;
  if (cluster !== manifest.cluster) blame(file, 'it is of another cluster than the manifest');
  if (rows.length !== manifest.namespaceKeys.rows)
    blame(file, `it holds ${rows.length} rows, and the manifest says ${manifest.namespaceKeys.rows}`);
  if (document === undefined) {
    blame(file, 'without the master keys of the backup nothing of it can be opened');
    return { rows: rows.length, opened: 0 };
  }
  const meks = new Set(rows.flatMap(({ encryptedByKid }) => encryptedByKid ?? []));
  const strange = [...meks].filter((kid) => document.key(kid) === undefined);
  if (strange.length > 0)
    blame(file, `the master keys of the backup lack ${strange.join(', ')}, which wrap rows`);
  let opened = 0;
  const lost = new Map<string, boolean>();
  for (const row of rows) {
    const key = `${row.namespace}/${row.kid}`;
    const verdict = rowVerdict(row, document);
    if (verdict.state === 'usable') {
      verdict.nek.wipe();
      opened += 1;
    }
    lost.set(key, (lost.get(key) ?? true) && verdict.state !== 'usable');
  }
  const unopened = [...lost].flatMap(([key, isLost]) => (isLost ? [key] : []));
  for (const key of unopened.slice(0, named))
    blame(file, `no row of ${key} opens with the master keys of the backup`);
  if (unopened.length > named) blame(file, `and ${unopened.length - named} more keys`);
  return { rows: rows.length, opened };
}

import path from 'node:path';
import { isMembers, type JsonMembers, parseStrictJson } from '../../keys/strict-json.ts';

const format = 'runbook-backup/v1';

/** What a file of a backup is. */
export type Part = 'openbao' | 'masterKeys' | 'namespaceKeys' | 'secret' | 'values';

export interface ManifestFile {
  readonly part: Part;
  /** Relative to the folder of the manifest. */
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Of a Secret 'namespace/name', of values 'namespace/release'; empty for what there is one of. */
  readonly of: string;
}

export interface ManifestRelease {
  readonly namespace: string;
  readonly release: string;
  readonly revision: number;
  readonly chart: string;
  readonly chartVersion: string;
}

/** The list of a backup: no secret is in it. */
export interface Manifest {
  readonly cluster: string;
  readonly run: string;
  /** RFC 3339. */
  readonly writtenAt: string;
  readonly files: readonly ManifestFile[];
  readonly mek: { readonly version: number; readonly kids: readonly string[] };
  /** Master keys that wrap the namespace keys of the backup. */
  readonly namespaceKeys: {
    readonly rows: number;
    readonly meks: readonly string[];
    readonly mekVersion: number;
  };
  readonly cassandra: { readonly tag: string; readonly nodes: readonly string[] } | null;
  readonly releases: readonly ManifestRelease[];
}

export function manifestContent(manifest: Manifest): Uint8Array {
  return Buffer.from(`${JSON.stringify({ format, ...manifest }, null, 2)}\n`);
}

export function parseManifest(
  bytes: Uint8Array,
): { readonly ok: true; readonly manifest: Manifest } | { readonly ok: false; readonly problem: string } {
  const read = parseStrictJson(bytes);
  if (!read.ok) return { ok: false, problem: `The manifest is no JSON: ${read.problem}.` };
  const { value } = read;
  if (!isMembers(value) || value.format !== format)
    return { ok: false, problem: `The manifest's format is not ${format}.` };
  const wrong = wrongMember(value);
  if (wrong !== undefined)
    return { ok: false, problem: `The manifest lacks ${wrong}, or it has the wrong type.` };
  return { ok: true, manifest: value as unknown as Manifest };
}

/** The path of a file of the backup, as seen from where its manifest was opened. */
export function pathOf(manifestFile: string, { file }: Pick<ManifestFile, 'file'>): string {
  return path.join(path.dirname(manifestFile), file);
}

/** A file beside the manifest by its name; undefined when it lies elsewhere. */
export function beside(manifestFile: string, file: string): string | undefined {
  return path.resolve(path.dirname(file)) === path.resolve(path.dirname(manifestFile))
    ? path.basename(file)
    : undefined;
}

function wrongMember(value: JsonMembers): string | undefined {
  const { cluster, run, writtenAt, files, mek, namespaceKeys, cassandra, releases } = value;
  if (![cluster, run, writtenAt].every((text) => typeof text === 'string'))
    return 'cluster, run or writtenAt';
  if (!Array.isArray(files) || !files.every(isFile)) return 'files';
  if (!isMembers(mek ?? null) || !areTexts((mek as JsonMembers).kids)) return 'mek';
  if (!isMembers(namespaceKeys ?? null) || !areTexts((namespaceKeys as JsonMembers).meks))
    return 'namespaceKeys';
  if (cassandra !== null && !isMembers(cassandra ?? null)) return 'cassandra';
  return Array.isArray(releases) ? undefined : 'releases';
}

function isFile(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { part, file, sha256, bytes, of } = value as Readonly<Record<string, unknown>>;
  return (
    [part, file, sha256, of].every((text) => typeof text === 'string') &&
    Number.isSafeInteger(bytes) &&
    // A manifest names files beside it, and nothing else.
    path.basename(String(file)) === file
  );
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

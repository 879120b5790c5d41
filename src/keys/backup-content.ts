import { hash } from 'node:crypto';
import { decodeBase64 } from './base64.ts';
import { isMembers, parseStrictJson } from './strict-json.ts';

/** What a backup of the MEK document holds, before encryption. */
export interface BackupContent {
  /** UID of the `kube-system` namespace. */
  readonly cluster: string;
  readonly mount: string;
  readonly path: string;
  readonly version: number;
  /** RFC 3339, of that version, by OpenBao's clock. */
  readonly createdTime: string;
  /** The KV fields as UTF-8 JSON, byte for byte. Secret. */
  readonly data: Uint8Array;
}

const format = 'runbook-mek-backup/v1';

/** JSON, format 'runbook-mek-backup/v1', the data in base64 with its SHA-256. Secret until encrypted. */
export function backupContent(content: BackupContent): Uint8Array {
  const { cluster, mount, path, version, createdTime, data } = content;
  return Buffer.from(
    `${JSON.stringify({
      format,
      cluster,
      mount,
      path,
      version,
      createdTime,
      sha256: hash('sha256', data, 'hex'),
      data: Buffer.from(data).toString('base64'),
    })}\n`,
  );
}

/** The reverse; another format, a missing member or a wrong hash is a problem. */
export function parseBackup(
  bytes: Uint8Array,
): { readonly ok: true; readonly content: BackupContent } | { readonly ok: false; readonly problem: string } {
  const read = parseStrictJson(bytes);
  if (!read.ok) return problem(`The backup holds no JSON: ${read.problem}.`);
  if (!isMembers(read.value) || read.value.format !== format)
    return problem(`The backup's format is not ${format}.`);
  const { cluster, mount, path, version, createdTime, sha256, data } = read.value;
  if (
    typeof cluster !== 'string' ||
    typeof mount !== 'string' ||
    typeof path !== 'string' ||
    typeof version !== 'number' ||
    !Number.isSafeInteger(version) ||
    version < 1 ||
    typeof createdTime !== 'string' ||
    typeof sha256 !== 'string' ||
    typeof data !== 'string'
  )
    return problem('The backup lacks a member, or one has the wrong type.');
  const decoded = decodeBase64(data);
  if (decoded === undefined) return problem("The backup's data is not base64.");
  if (hash('sha256', decoded, 'hex') !== sha256) return problem("The backup's data does not have its hash.");
  return { ok: true, content: { cluster, mount, path, version, createdTime, data: decoded } };
}

function problem(text: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem: text };
}

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

/** JSON, format 'runbook-mek-backup/v1', the data in base64 with its SHA-256. Secret until encrypted. */
export function backupContent(_content: BackupContent): Uint8Array {
  throw new Error('not built');
}

/** The reverse; a wrong format or a wrong hash is a problem. */
export function parseBackup(
  _bytes: Uint8Array,
): { readonly ok: true; readonly content: BackupContent } | { readonly ok: false; readonly problem: string } {
  throw new Error('not built');
}

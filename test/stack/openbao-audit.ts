import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { openbaoAuditFolder, openbaoPods } from './manifests/openbao.ts';

/** One entry of OpenBao's audit log, as far as tests look at it. Secrets in it are keyed hashes. */
export interface OpenBaoAuditEntry {
  /** The pod whose log it is from; a standby also logs what it passes on. */
  pod: string;
  time: string;
  type: 'request' | 'response';
  error?: string;
  auth?: { display_name?: string; policies?: string[]; metadata?: Record<string, string> };
  request: {
    id: string;
    operation: string;
    path: string;
    remote_address?: string;
    data?: Record<string, unknown>;
  };
  response?: { data?: Record<string, unknown> };
}

/** Where each pod's log ends now. */
export function openBaoAuditOffsets(): Record<string, number> {
  return Object.fromEntries(
    openbaoPods.map((pod) => [pod, existsSync(fileOf(pod)) ? statSync(fileOf(pod)).size : 0]),
  );
}

/** The text behind such offsets, all pods after each other. */
export function openBaoAuditText(since: Record<string, number> = {}): string {
  return openbaoPods
    .filter((pod) => existsSync(fileOf(pod)))
    .map((pod) =>
      readFileSync(fileOf(pod))
        .subarray(since[pod] ?? 0)
        .toString(),
    )
    .join('');
}

/** The entries behind such offsets, in the order of time. */
export function openBaoAuditLog(since: Record<string, number> = {}): OpenBaoAuditEntry[] {
  const entries = openbaoPods
    .filter((pod) => existsSync(fileOf(pod)))
    .flatMap((pod) => {
      const text = readFileSync(fileOf(pod))
        .subarray(since[pod] ?? 0)
        .toString();
      // The last line may still be in the making.
      const lines = text
        .slice(0, text.lastIndexOf('\n') + 1)
        .split('\n')
        .filter(Boolean);
      return lines.map((line) => ({ ...(JSON.parse(line) as OpenBaoAuditEntry), pod }));
    });
  return entries.sort((a, b) => a.time.localeCompare(b.time));
}

function fileOf(pod: string): string {
  return path.join(openbaoAuditFolder(), pod, 'audit.log');
}

import type { Connection } from '../api.ts';
import { type AuditEntry, auditOffset, readAuditLog } from '../control.ts';
import { waitFor } from '../shell.ts';

const reading = new Set(['get', 'list', 'watch']);

export interface Recording {
  /** Everything that this user asked of the API server since, once the log has caught up with what was answered. */
  entries(user?: string): Promise<readonly AuditEntry[]>;
}

/** From here on. */
export function recordAudit(connection: Connection): Recording {
  const since = auditOffset();
  return {
    async entries(user = 'runbook-admin') {
      const marker = `runbook-e2e=${process.hrtime.bigint()}`;
      await connection.core.listNamespacedPod({ namespace: 'default', labelSelector: marker });
      const entries = await waitFor(
        async () => {
          const found = readAuditLog(since).entries;
          return found.some(({ requestURI }) => decodeURIComponent(requestURI).includes(marker)) && found;
        },
        { what: 'the audit log to catch up', seconds: 180 },
      );
      // A watch is logged when it begins and again when it ends.
      return entries.filter((entry) => entry.user.username === user && entry.stage === 'ResponseComplete');
    },
  };
}

export function isDryRun({ requestURI }: AuditEntry): boolean {
  return new URL(requestURI, 'http://api').searchParams.get('dryRun') === 'All';
}

/** Asking who one is and what one may do is a `create` by its form only. */
export function isReview({ objectRef }: AuditEntry): boolean {
  return /^(selfsubject(access|rules)?reviews)$/.test(objectRef?.resource ?? '');
}

/** A call that may have changed something. */
export function isWrite(entry: AuditEntry): boolean {
  return !reading.has(entry.verb) && !isDryRun(entry) && !isReview(entry);
}

/** Writes on one kind in one namespace that the API server accepted, as 'patch web'. */
export function accepted(
  entries: readonly AuditEntry[],
  { resource, namespace }: { resource: string; namespace: string },
): string[] {
  return entries
    .filter(
      (entry) =>
        isWrite(entry) &&
        entry.objectRef?.resource === resource &&
        entry.objectRef.namespace === namespace &&
        (entry.responseStatus?.code ?? 0) < 300,
    )
    .map(({ verb, objectRef }) => `${verb} ${objectRef?.name ?? ''}`);
}

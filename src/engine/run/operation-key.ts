import { createHash } from 'node:crypto';

/** One per instance of a run, the same over retries and resumes; short and plain enough for an annotation, a label or a description. */
export function operationKey(run: string, instance: string): string {
  return `rb-${createHash('sha256').update(`${run}\n${instance}`).digest('hex').slice(0, 24)}`;
}

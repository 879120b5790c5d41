import { appendFileSync } from 'node:fs';

/**
 * Records what the service is about to acknowledge, where the tests find it: whatever stands here must be readable
 * ever after.
 */
export function acknowledge(entry: object): void {
  const line = JSON.stringify({ at: Date.now(), pod: process.env.HOSTNAME, ...entry });
  appendFileSync(`/var/ledger/${process.env.HOSTNAME}.jsonl`, `${line}\n`);
}

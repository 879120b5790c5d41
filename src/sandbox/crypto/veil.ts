import { createCipheriv, createDecipheriv } from 'node:crypto';
import { derived } from './derive.ts';

const cipher = 'aes-256-gcm';

/** A text as it stands in the world's file: what a step sends as a secret is not written there in clear. The same text gives the same veil. */
export function veil(seed: number, text: string): string {
  const iv = derived(seed, 12, 'veil', text);
  const sealing = createCipheriv(cipher, derived(seed, 32, 'veil'), iv);
  const sealed = Buffer.concat([sealing.update(text, 'utf8'), sealing.final()]);
  return Buffer.concat([iv, sealed, sealing.getAuthTag()]).toString('base64');
}

export function unveil(seed: number, veiled: string): string {
  const bytes = Buffer.from(veiled, 'base64');
  const opening = createDecipheriv(cipher, derived(seed, 32, 'veil'), bytes.subarray(0, 12), {
    authTagLength: 16,
  });
  opening.setAuthTag(bytes.subarray(-16));
  return Buffer.concat([opening.update(bytes.subarray(12, -16)), opening.final()]).toString('utf8');
}

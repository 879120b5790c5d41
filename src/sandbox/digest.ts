import { createHash } from 'node:crypto';
import type { Json } from '../engine/json.ts';

/** 'sha256:1f0a…', of text that must not be shown. */
export function digest(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}

/** A value with every leaf as a digest; names stay. */
export function digested(value: unknown): Json {
  if (Array.isArray(value)) return value.map(digested);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, digested(inner)]));
  return digest(JSON.stringify(value) ?? '');
}

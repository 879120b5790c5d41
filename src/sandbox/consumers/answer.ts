import type { PodAnswer } from '../pod-port.ts';

/** An answer in JSON. */
export function answer(status: number, value: unknown): PodAnswer {
  return { status, type: 'application/json', body: JSON.stringify(value) };
}

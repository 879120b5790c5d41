import type { PodAnswer } from '../pod-port.ts';

export interface TextAnswer extends PodAnswer {
  readonly body: string;
}

/** An answer in JSON. */
export function answer(status: number, value: unknown): TextAnswer {
  return { status, type: 'application/json', body: JSON.stringify(value) };
}

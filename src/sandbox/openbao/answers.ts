import type { PodAnswer } from '../pod-port.ts';
import type { World } from '../world.ts';
import { derivedUuid } from './mounts.ts';

/** JSON as Go writes it: keys in order, and no character that HTML knows. */
export function goJson(value: unknown): string {
  return JSON.stringify(sorted(value)).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, sorted(inner)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

export function json(status: number, value: unknown): PodAnswer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

export function errors(status: number, ...texts: readonly string[]): PodAnswer {
  return json(status, { errors: texts });
}

/** How OpenBao says that there is nothing. */
export const nothing = (): PodAnswer => errors(404);

export const done = (): PodAnswer => ({ status: 204, type: 'application/json', body: '' });

/** An error from inside an engine or from the policies. */
export function wrapped(status: number, text: string): PodAnswer {
  return errors(status, `1 error occurred:\n\t* ${text}\n\n`);
}

export const denied = (): PodAnswer => wrapped(403, 'permission denied');

/** A logical answer: `data` in its envelope. `more` stands beside it. */
export function answer(
  world: World,
  data: unknown,
  { status = 200, more = {} }: { readonly status?: number; readonly more?: object } = {},
): PodAnswer {
  const id = derivedUuid(world, 'request', String(world.timeline.now), goJson(data));
  const envelope = {
    ...more,
    request_id: id,
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    wrap_info: null,
    warnings: null,
  };
  const text = JSON.stringify({ auth: null, ...envelope });
  return { status, type: 'application/json', body: `${text.slice(0, -1)},"data":${goJson(data)}}\n` };
}

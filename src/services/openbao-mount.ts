import type { Secret } from '../engine/secret.ts';
import { type KvMount, OpenBaoError, type OpenBaoReader } from './openbao.ts';
import { pathOf } from './openbao-paths.ts';
import { parseAnswer, refusal } from './openbao-refusal.ts';
import type { Body, Endpoint, Transport } from './openbao-transport.ts';

export function mounts(open: Transport): Pick<OpenBaoReader, 'mount'> {
  return { mount: (pod, path, token, signal) => readMount(open(pod, 'any'), path, token, signal) };
}

/** Refuses a mount that is none, or no versioned key-value engine: those store or lose what is written, and call both absent. */
export async function requireVersioned(
  bao: Endpoint,
  mount: string,
  token: Secret,
  signal: AbortSignal,
): Promise<void> {
  const { type, version } = await readMount(bao, mount, token, signal);
  if (type === 'kv' && version === '2') return;
  const is = type === 'kv' ? `a key-value engine of version ${version}` : `an engine of type ${type}`;
  throw failure(`${mount} in ${bao.place} is ${is}, not a versioned key-value engine (kv, version 2).`);
}

async function readMount(bao: Endpoint, mount: string, token: Secret, signal: AbortSignal): Promise<KvMount> {
  const path = pathOf(bao.place, ['sys/internal/ui/mounts', mount]);
  const answer = await bao.ask({ method: 'GET', path, token, write: false }, signal);
  // The same words for both, whatever the token: which mounts there are is not told to everybody.
  if (answer.status === 403 && /preflight capability check/u.test(answer.body))
    throw failure(`${bao.place} has no mount ${mount}, or the token may do nothing in it.`, 403);
  if (answer.status !== 200) throw refusal(bao.place, answer, { path, write: false });
  const data = (parseAnswer(bao.place, answer).data ?? {}) as Body;
  const { type, uuid, path: place } = data;
  if (typeof type !== 'string' || typeof uuid !== 'string' || typeof place !== 'string')
    throw failure(`${bao.place} told nothing of the mount ${mount}. — Is it OpenBao?`, answer.status);
  if (place !== `${mount}/`)
    throw failure(
      `${mount} in ${bao.place} is no mount but a path in the mount ${place.replace(/\/$/u, '')}.`,
    );
  const options = (data.options ?? {}) as Body;
  // A mount from before there were versions has no options.
  const version = typeof options.version === 'string' ? options.version : type === 'kv' ? '1' : '';
  return { type, version, uuid };
}

function failure(message: string, status?: number): OpenBaoError {
  return new OpenBaoError(message, { status, outcome: 'not-applied', retryable: false });
}

import type { Machine } from '../machine.ts';
import type { PodAnswer, PodRequest } from '../pod-port.ts';
import { answer } from './answer.ts';
import { isEssToken } from './bearer.ts';
import { consumerKind } from './state.ts';

const PORT = 8080;

/** What a service that uses master keys answers on its API; undefined for everything else that it serves. */
export function answerConsumer(
  machine: Machine,
  container: string,
  request: PodRequest,
): PodAnswer | undefined {
  const kind = consumerKind(container);
  const { pathname } = new URL(request.url, 'http://pod');
  if (kind === undefined || request.port !== PORT || !pathname.startsWith('/v1/')) return undefined;
  const { namespace, pod, method, headers, body } = request;
  if (kind === 'ess') {
    const [, token] = /^Bearer (\S+)$/i.exec(headers.authorization ?? '') ?? [];
    if (token === undefined) return answer(401, { error: 'no bearer token' });
    if (!isEssToken(machine.world, token)) return answer(401, { error: 'the token is not valid' });
  }
  const ess = headers['x-ess-namespace'];
  const call = { namespace, pod, method, path: decodeURI(pathname), ...(ess === undefined ? {} : { ess }) };
  const outcome = machine.perform({ do: 'serve', call, sealed: body.toString('utf8') });
  return outcome.ok ? (outcome.value as PodAnswer) : answer(500, { error: 'internal error' });
}

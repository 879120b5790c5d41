import type { Machine } from '../machine.ts';
import { takeMishap } from '../mishaps.ts';
import type { PodAnswer, PodRequest } from '../pod-port.ts';
import { errors } from './answers.ts';
import { answerBao } from './http.ts';

const KEY_VALUE = /^\/v1\/(?:[^?]*\/)?kv\/(?:data|metadata|delete|undelete|destroy)\//;

/** OpenBao's answer with the mishaps that are set for its key-value engines; undefined: the connection breaks without one. */
export function answerTroubledBao(machine: Machine, request: PodRequest): PodAnswer | undefined {
  if (!KEY_VALUE.test(request.url)) return answerBao(machine, request);
  const mishap = takeMishap(machine, request.method === 'GET' ? 'kv-read' : 'kv-write');
  if (mishap === undefined) return answerBao(machine, request);
  if (mishap.how === 'refused') return errors(500, 'internal error');
  if (mishap.how === 'lost') answerBao(machine, request);
  return undefined;
}

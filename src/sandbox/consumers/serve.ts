import type { World } from '../world.ts';
import type { TextAnswer } from './answer.ts';
import { answer } from './answer.ts';
import { answerApiKeys } from './api-keys.ts';
import { answerEss } from './ess.ts';
import { answerNvcfApi } from './nvcf-api.ts';
import type { Consumer } from './state.ts';

/** A request to a service that uses master keys, as it stands in the world's file. */
export interface ServeCall {
  readonly namespace: string;
  readonly pod: string;
  readonly method: string;
  readonly path: string;
  /** `X-ESS-NAMESPACE`. */
  readonly ess?: string;
  /** JSON text; empty when there is none. */
  readonly body: string;
}

const SECRET = /^\/v1\/((?:functions|accounts|tasks)\/[^/]+\/.+)$/;

type Fields = Readonly<Record<string, unknown>>;

/** The body's object; undefined when it is none. */
function fieldsOf(body: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body === '' ? '{}' : body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Fields)
      : undefined;
  } catch {
    return undefined;
  }
}

function ess(world: World, consumer: Consumer, call: ServeCall, body: Fields): TextAnswer {
  const path = SECRET.exec(call.path)?.[1];
  if (path === undefined) return answer(404, { error: 'unknown entity type' });
  if (call.ess === undefined || call.ess === '') return answer(400, { error: 'X-ESS-NAMESPACE is missing' });
  if (!['GET', 'PUT', 'DELETE'].includes(call.method)) return answer(405, { error: 'method not allowed' });
  const data = body.data;
  const value = typeof data === 'object' && data !== null ? JSON.stringify(data) : undefined;
  return answerEss(world, consumer, { method: call.method, path, namespace: call.ess, value });
}

/** The service that runs in a pod now. */
export function consumerIn(
  world: World,
  at: { readonly namespace: string; readonly pod: string },
): Consumer | undefined {
  return [...world.consumers.values()].find(
    (consumer) => consumer.namespace === at.namespace && consumer.pod === at.pod,
  );
}

/** Answers a request, and does what it asks for. */
export function serve(world: World, call: ServeCall): TextAnswer {
  const consumer = consumerIn(world, call);
  const body = fieldsOf(call.body);
  if (consumer === undefined) return answer(503, { error: 'the service is starting' });
  if (body === undefined) return answer(400, { error: 'the body is no JSON object' });
  if (consumer.kind === 'ess') return ess(world, consumer, call, body);
  if (call.method !== 'POST') return answer(405, { error: 'method not allowed' });
  return consumer.kind === 'api-keys'
    ? answerApiKeys(world, consumer, { path: call.path, body })
    : answerNvcfApi(world, consumer, { path: call.path, body });
}

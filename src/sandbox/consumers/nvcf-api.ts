import { derived } from '../crypto/derive.ts';
import { headerOf, openWrapped, sealWrapped } from '../crypto/jwe.ts';
import { stamp } from '../nek-store/tables.ts';
import type { World } from '../world.ts';
import type { TextAnswer } from './answer.ts';
import { answer } from './answer.ts';
import { say } from './running.ts';
import type { Consumer, KeySet } from './state.ts';

const HOUR = 3_600_000;
/** Life of a worker's token. */
const LIFE = 3 * HOUR;

function issue(world: World, consumer: Consumer): TextAnswer {
  const { keys } = consumer;
  const bytes = keys?.keys.get(keys.current);
  if (keys === undefined || bytes === undefined) {
    const why = `No encrypter defined for kid:${keys?.current ?? ''}`;
    say(world, consumer, `ERROR [http] %: ${why}`);
    return answer(500, { error: why });
  }
  const at = stamp(world);
  const expires = world.timeline.now + LIFE;
  const part = (length: number, label: string) => derived(world.seed, length, 'worker-token', label, at);
  const token = sealWrapped(bytes, {
    header: { kid: keys.current },
    contentKey: part(32, 'key'),
    ivs: [part(12, 'key-iv'), part(12, 'iv')],
    plain: JSON.stringify({ worker: part(16, 'id').toString('hex'), expires }),
  });
  world.cassandra.told.workerTokens.set(token, expires);
  return answer(200, { token, expires });
}

/** Why a service with these keys would not refresh a token; undefined when it would. */
export function tokenProblem(
  token: string,
  given: { readonly keys: KeySet; readonly now: number },
): string | undefined {
  const kid = String(headerOf(token)?.kid);
  const bytes = given.keys.keys.get(kid);
  if (bytes === undefined) return `Can't decrypt JWT, no decrypter defined for key: ${kid}`;
  const text = openWrapped(token, bytes);
  if (text === undefined) return 'Failed to decrypt JWT, error was: AES/GCM/NoPadding decryption failed';
  return (JSON.parse(text) as { expires: number }).expires < given.now ? 'the token has expired' : undefined;
}

/** NVCF API's answer: tokens for workers, and new ones for old ones. */
export function answerNvcfApi(
  world: World,
  consumer: Consumer,
  call: { readonly path: string; readonly body: Readonly<Record<string, unknown>> },
): TextAnswer {
  if (call.path === '/v1/worker-tokens') return issue(world, consumer);
  if (call.path !== '/v1/worker-tokens/refresh') return answer(404, { error: 'not found' });
  const { keys } = consumer;
  const { token } = call.body;
  const why =
    keys === undefined || typeof token !== 'string'
      ? 'no token'
      : tokenProblem(token, { keys, now: world.timeline.now });
  if (why === undefined) return issue(world, consumer);
  say(world, consumer, `ERROR [http] %: ${why}`);
  return answer(401, { error: why });
}

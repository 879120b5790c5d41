import { createHash } from 'node:crypto';
import { headerOf, openWrapped } from '../crypto/jwe.ts';
import { hasQuorum, ownNodes } from '../nek-store/nodes.ts';
import { makeApiKey } from '../nek-store/seed.ts';
import type { StoredApiKey } from '../nek-store/state.ts';
import { apiKeysOf, stamp } from '../nek-store/tables.ts';
import type { World } from '../world.ts';
import type { TextAnswer } from './answer.ts';
import { answer } from './answer.ts';
import { say } from './running.ts';
import type { Consumer, KeySet } from './state.ts';

const DAY = 86_400_000;

/** Opens what is stored of an API key; undefined with the reason that the service logs. */
function openDetails(row: StoredApiKey, keys: KeySet): { readonly owner: string } | { readonly why: string } {
  const kid = String(headerOf(row.details)?.kid);
  const bytes = keys.keys.get(kid);
  if (bytes === undefined) return { why: `Can't decrypt JWT, no decrypter defined for key: ${kid}` };
  const text = openWrapped(row.details, bytes);
  if (text === undefined)
    return { why: 'Failed to decrypt JWT, error was: AES/GCM/NoPadding decryption failed' };
  return JSON.parse(text) as { owner: string };
}

/** Would this API key be valid for a service that has loaded these keys? Answers why not. */
export function keyProblem(world: World, key: string, keys: KeySet): string | undefined {
  const row = apiKeysOf(world).get(hashOf(key));
  if (row === undefined) return 'the key is not stored';
  const opened = openDetails(row, keys);
  return 'why' in opened ? opened.why : undefined;
}

function issue(world: World, consumer: Consumer, owner: string): TextAnswer {
  const { keys } = consumer;
  const bytes = keys?.keys.get(keys.current);
  if (keys === undefined || bytes === undefined) {
    const why = `No encrypter defined for kid:${keys?.current ?? ''}`;
    say(world, consumer, `ERROR [http] %: ${why}`);
    return answer(500, { error: why });
  }
  const rows = apiKeysOf(world);
  const { key, row } = makeApiKey(world, {
    owner,
    number: stamp(world),
    mek: { kid: keys.current, bytes },
    expires: world.timeline.now + 365 * DAY,
  });
  rows.set(row.hash, row);
  world.cassandra.told.apiKeys.add(key);
  return answer(200, { key, keyId: row.keyId, owner });
}

/** Rows under a master key are gone, as when their time to live is over; answers how many. */
export function endApiKeys(world: World, kid: string): number {
  const rows = apiKeysOf(world);
  const { apiKeys } = world.cassandra.told;
  const ended = [...rows.values()].filter(({ details }) => headerOf(details)?.kid === kid);
  for (const { hash } of ended) rows.delete(hash);
  for (const key of apiKeys) if (!rows.has(hashOf(key))) apiKeys.delete(key);
  return ended.length;
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function validate(world: World, consumer: Consumer, key: string): TextAnswer {
  const why = consumer.keys === undefined ? 'no keys are loaded' : keyProblem(world, key, consumer.keys);
  if (why === undefined) return answer(200, { valid: true });
  say(world, consumer, `ERROR [http] %: ${why}`);
  return answer(401, { valid: false, error: why });
}

/** API Keys' answer: it issues keys and checks them. */
export function answerApiKeys(
  world: World,
  consumer: Consumer,
  call: { readonly path: string; readonly body: Readonly<Record<string, unknown>> },
): TextAnswer {
  if (!hasQuorum(world, ownNodes(world))) return answer(500, { error: 'Cassandra is not available' });
  const { owner, key } = call.body;
  if (call.path === '/v1/keys' && typeof owner === 'string') return issue(world, consumer, owner);
  if (call.path === '/v1/keys/validate' && typeof key === 'string') return validate(world, consumer, key);
  return answer(call.path.startsWith('/v1/keys') ? 400 : 404, { error: 'not understood' });
}

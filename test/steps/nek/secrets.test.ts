import { expect, test } from 'vitest';
import type { RunContext } from '../../../src/engine/step-type.ts';
import { census } from '../../../src/steps/nek/census.ts';
import { reencrypt } from '../../../src/steps/nek/reencrypt.ts';
import { verify } from '../../../src/steps/nek/verify.ts';
import { refused } from '../../fakes/memory-nek-store.ts';
import { captured, nekRig, password, place } from '../../fakes/nek-rig.ts';
import { lostMek, mekBytes, nekOf, nekRow, newMek, oldMek } from '../../fakes/nek-rows.ts';

const names = ['a', 'b', 'c'];
const canaries = [
  ...[newMek, oldMek].flatMap((kid) => [mekBytes(kid), mekBytes(kid, 'private')]),
  ...names.map((name) => Buffer.from(nekOf(name).k, 'base64url')),
].flatMap((bytes) => [bytes.toString('base64url'), bytes.toString('hex'), bytes.toString('base64')]);

async function failureOf(act: Promise<unknown>): Promise<unknown> {
  return await act.then(
    (value) => value,
    ({ message, hint, details, cause }: Error & { hint?: string; details?: readonly string[] }) => [
      message,
      hint,
      details,
      String(cause),
      JSON.stringify(cause),
    ],
  );
}

test('no step on namespace keys tells or keeps a key, a JWE, a token or a password, whatever happens', async () => {
  const told: unknown[] = [];
  const { ctx, store, progress, checkpoints, guarded, kept } = nekRig();
  for (const namespace of names) store.put(nekRow({ namespace }));
  const runAll = async (run: RunContext) => {
    for (const act of [
      () => census.run(place, run),
      () => verify.run({ ...place, mustPass: false }, run),
      () => verify.run(place, run),
      () => reencrypt.predict(place, run),
      () => captured(reencrypt, place, run).then(({ before }) => before),
      () => captured(reencrypt, place, run).then((whole) => reencrypt.run(place, whole)),
      () => captured(reencrypt, place, run).then((whole) => reencrypt.observe(place, whole.before, whole)),
    ])
      told.push(await failureOf(act()));
  };
  await runAll(ctx);
  store.put(nekRow({ namespace: 'x', columns: { encryptedByKid: lostMek }, header: { kid: lostMek } }));
  store.put(
    nekRow({ namespace: 'y', columns: { encryptedKey: `${nekRow({ namespace: 'y' }).encryptedKey}!` } }),
  );
  await runAll(ctx);
  store.gate = (call) => {
    if (call === 'scan') throw refused('the role may not read');
  };
  await runAll(ctx);

  const text = JSON.stringify([told, progress, checkpoints, await kept('rows'), await kept('outcome')]);
  expect(text).toContain('rewrapped');
  expect(text).toContain('nek-anomalies'.slice(4));
  const jwes = store.all().flatMap(({ encryptedKey }) => encryptedKey?.split('.').slice(2) ?? []);
  for (const secret of [...canaries, ...jwes, password, 'canary-root'])
    if (secret.length >= 16 || secret === password || secret === 'canary-root')
      expect(text).not.toContain(secret);
  // And whatever else prints from now on knows them.
  const known = guarded.map((secret) => secret.revealText((value) => value));
  for (const kid of [newMek, oldMek]) expect(known).toContain(mekBytes(kid).toString('base64url'));
  expect(known).toContain(password);
});

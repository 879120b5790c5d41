import { performance } from 'node:perf_hooks';
import { parseMekDocument } from '../src/keys/mek-document.ts';
import { createSystemClock } from '../src/services/clock-system.ts';
import { reencrypt } from '../src/steps/nek/reencrypt.ts';
import { verify } from '../src/steps/nek/verify.ts';
import { MemoryNekStore } from '../test/fakes/memory-nek-store.ts';
import { captured, mekFields, nekRig, place } from '../test/fakes/nek-rig.ts';
import { nekOf, nekRow, newMek, oldMek } from '../test/fakes/nek-rows.ts';
import { rewrapOne } from './rewrap-one.ts';

/*
 * nek.reencrypt beside a plain loop that does the same for one row after the other, on a store in memory whose calls take a given time.
 * node scripts/run-ts.mjs bench/nek-reencrypt.ts [keys] [keys in each namespace] [milliseconds of a call] [keys of the loop]
 */

const [total = 20_000, each = 1, latency = 1, ofLoop = 1000] = process.argv.slice(2).map(Number);
const system = createSystemClock();
// The rows of the fakes are of 2027.
const clock = { ...system, now: () => system.now() + 365 * 86_400_000 };
const never = new AbortController().signal;

function filled(count: number): MemoryNekStore {
  const store = new MemoryNekStore(() => clock.now() * 1000);
  for (let index = 0; index < count; index++) {
    const namespace = `ns-${Math.floor(index / each)}`;
    const currentKid = nekOf(`${namespace} 0`).kid;
    store.put(nekRow({ namespace, seed: `${namespace} ${index % each}`, currentKid }));
  }
  store.gate = () => new Promise((resolve) => setTimeout(resolve, latency));
  return store;
}

/** Keys in a second. */
async function loop(count: number): Promise<number> {
  const session = await filled(count).open({} as never);
  const read = parseMekDocument(Buffer.from(JSON.stringify(mekFields([newMek, oldMek]))));
  if (!read.ok) throw new Error(read.problems.join(' '));
  const { document } = read;
  const begun = performance.now();
  for await (const { rows } of session.scan({ pageSize: 1000 }, never))
    for (const row of rows) await rewrapOne(session, row, { document, kid: newMek, now: clock.now() });
  return (count * 1000) / (performance.now() - begun);
}

async function timed<T>(act: () => Promise<T>): Promise<readonly [T, number]> {
  const begun = performance.now();
  return [await act(), performance.now() - begun];
}

const rig = nekRig(filled(total), { clock });
for (const [name, node] of rig.bao.nodes)
  rig.bao.nodes.set(name, { ...(node as object), serverTime: Math.floor(clock.now() / 1000) });
const ctx = { ...rig.ctx, deadline: clock.now() + 3_600_000 };
const whole = await captured(reencrypt, place, ctx);
const [{ passes, rewrapped }, took] = await timed(() => reencrypt.run(place, whole));
const [{ checked, ok }, proved] = await timed(() => verify.run(place, ctx));
if (rewrapped !== total || !ok) throw new Error(`${rewrapped} of ${total} were wrapped anew`);
const [ours, plain] = [(total * 1000) / took, await loop(Math.min(total, ofLoop))];
process.stdout.write(
  [
    `${total} keys, ${each} in a namespace, ${latency} ms a call, ${passes} passes`,
    `nek.reencrypt  ${(took / 1000).toFixed(1)} s, ${Math.round(ours)} a second`,
    `row by row     ${Math.round(plain)} a second`,
    `ratio          ${(ours / plain).toFixed(1)}`,
    `nek.verify     ${(proved / 1000).toFixed(1)} s for ${checked}`,
    '',
  ].join('\n'),
);

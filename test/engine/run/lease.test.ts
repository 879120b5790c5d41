import { beforeEach, describe, expect, test } from 'vitest';
import { inspectLock, leaseName, readLease, unlock } from '../../../src/engine/run/lease.ts';
import { createLeaseLock, type LeaseLockOptions } from '../../../src/engine/run/lease-lock.ts';
import { LockedError, LockLostError, type RunLock } from '../../../src/engine/run/lock.ts';
import { RunClock } from '../../fakes/run-clock.ts';
import { RunLeases } from '../../fakes/run-leases.ts';

let clock = new RunClock();
let server = new RunLeases(clock);
const never = new AbortController().signal;

beforeEach(() => {
  clock = new RunClock();
  server = new RunLeases(clock);
});

function lockOf(run: string, more: Partial<LeaseLockOptions> = {}): RunLock {
  return createLeaseLock({
    kubernetes: server.api,
    clock,
    namespace: 'runbook',
    locks: ['openbao/mek'],
    run,
    actor: { user: 'alice', osUser: 'alice', host: 'bastion' },
    ...more,
  });
}

/** A sleep in which the renewals of every lock have their turns. */
function pass(ms: number): Promise<void> {
  return clock.sleep(ms, never);
}

const content = () => inspectLock(server.api, 'runbook', 'openbao/mek');

describe('taking', () => {
  test('makes the Lease, with the lock, the run and its holder in it', async () => {
    const lock = lockOf('r1');
    await lock.acquire(never);
    expect(await content()).toMatchObject({
      lock: 'openbao/mek',
      run: 'r1',
      holder: 'alice on bastion',
      waiting: false,
    });
    expect([...server.leases.keys()]).toEqual([leaseName('openbao/mek')]);
    expect(leaseName('openbao/mek')).toMatch(/^runbook-[0-9a-f]{16}$/);
    await lock.release();
    expect(await content()).toMatchObject({ holder: '', run: 'r1' });
  });

  test('one that is renewed belongs to a living run: refused, naming it', async () => {
    const first = lockOf('r1');
    await first.acquire(never);
    const second = lockOf('r2');
    await expect(second.acquire(never)).rejects.toThrow(LockedError);
    await expect(second.acquire(never)).rejects.toThrow(
      'held by run r1 (alice on bastion), which is at work',
    );
    await first.release();
    await second.acquire(never);
    expect((await content())?.run).toBe('r2');
    await second.release();
  });

  test('one that is not renewed for its whole duration is taken over, whatever the clocks say', async () => {
    const dead = lockOf('r1');
    await dead.acquire(never);
    const frozen = server.leases.get(leaseName('openbao/mek'));
    await dead.release();
    if (frozen !== undefined) server.leases.set(leaseName('openbao/mek'), frozen);
    server.touch(leaseName('openbao/mek'), { renewTime: '2099-01-01T00:00:00.000000Z' });
    const since = clock.monotonic();
    const next = lockOf('r2');
    await next.acquire(never);
    expect(clock.monotonic() - since).toBeGreaterThanOrEqual(60_000);
    expect((await content())?.run).toBe('r2');
    await next.release();
  });

  test('its own Lease is taken back at once; after an adoption only when it has been quiet', async () => {
    await lockOf('r1').acquire(never);
    const since = clock.monotonic();
    const again = lockOf('r1');
    await again.acquire(never);
    expect(clock.monotonic() - since).toBe(0);
    await expect(lockOf('r1', { adopt: true }).acquire(never)).rejects.toThrow(LockedError);
    await again.release();
  });

  test('one that waits for a human stays held, however quiet', async () => {
    const first = lockOf('r1');
    await first.acquire(never);
    await first.keep();
    await pass(10 * 60_000);
    await expect(lockOf('r2').acquire(never)).rejects.toThrow('waits for a human or a time');
    const again = lockOf('r1');
    await again.acquire(never);
    expect((await content())?.waiting).toBe(false);
    await again.release();
  });

  test('of several locks all or none are kept', async () => {
    const other = lockOf('r1', { locks: ['b'] });
    await other.acquire(never);
    await expect(lockOf('r2', { locks: ['c', 'b', 'a'] }).acquire(never)).rejects.toThrow(LockedError);
    const holders = [...server.leases.values()].map((lease) => readLease(lease));
    expect(holders.filter((lease) => lease.holder !== '').map((lease) => lease.lock)).toEqual(['b']);
    await other.release();
  });

  test('of many that race, exactly one gets in', async () => {
    const racers = Array.from({ length: 8 }, (_, index) => lockOf(`r${index}`));
    const ends = await Promise.allSettled(racers.map((lock) => lock.acquire(never)));
    expect(ends.filter((end) => end.status === 'fulfilled')).toHaveLength(1);
    for (const lock of racers) await lock.release();
  });

  test('an interrupt ends the watching', async () => {
    await lockOf('r1').acquire(never);
    const stop = new AbortController();
    const waiting = lockOf('r2', { notify: () => stop.abort() }).acquire(stop.signal);
    await expect(waiting).resolves.toBeUndefined();
  });
});

describe('holding', () => {
  test('costs no call per effect while renewals are on time', async () => {
    const lock = lockOf('r1');
    await lock.acquire(never);
    await pass(5 * 60_000);
    const calls = server.calls.length;
    expect(calls).toBeLessThanOrEqual(2 + 4 * 5 + 1);
    for (let effect = 0; effect < 100; effect += 1) await lock.assertHeld();
    expect(server.calls).toHaveLength(calls);
    await lock.release();
  });

  test('tells the head of the journal with each renewal', async () => {
    const lock = lockOf('r1');
    await lock.acquire(never);
    lock.head(12, 'a'.repeat(64));
    await pass(20_000);
    expect((await content())?.head).toEqual({ seq: 12, hash: 'a'.repeat(64) });
    await lock.release();
    expect((await content())?.head?.seq).toBe(12);
  });

  test('an API server that does not answer: no new effect once the renewal is too old, and again after it is back', async () => {
    const lock = lockOf('r1');
    await lock.acquire(never);
    server.reachable = false;
    await pass(20_000);
    await expect(lock.assertHeld()).resolves.toBeUndefined();
    await pass(40_000);
    await expect(lock.assertHeld()).rejects.toThrow(LockLostError);
    server.reachable = true;
    await expect(lock.assertHeld()).resolves.toBeUndefined();
    await lock.release();
  });

  test('a machine that slept looks before its next effect: still ours, or not', async () => {
    const lock = lockOf('r1');
    await lock.acquire(never);
    clock.jump(10 * 60_000);
    await expect(lock.assertHeld()).resolves.toBeUndefined();
    clock.jump(10 * 60_000);
    server.touch(leaseName('openbao/mek'), { holderIdentity: 'bob on laptop' }, { 'runbook.io/run': 'r9' });
    await expect(lock.assertHeld()).rejects.toThrow('run r9 (bob on laptop) has taken it over');
    expect(await lock.release()).toBe(false);
    expect((await content())?.run).toBe('r9');
  });

  test('a renewal whose answer was lost, and a foreign edit, do not lose it', async () => {
    const lock = lockOf('r1');
    await lock.acquire(never);
    server.loseNextAnswer = true;
    await pass(40_000);
    server.touch(leaseName('openbao/mek'), {}, { note: 'seen by bob' });
    await pass(40_000);
    await expect(lock.assertHeld()).resolves.toBeUndefined();
    await lock.release();
  });

  test('a Lease that was deleted is lost', async () => {
    const lock = lockOf('r1');
    await lock.acquire(never);
    server.leases.clear();
    await pass(20_000);
    await expect(lock.assertHeld()).rejects.toThrow('its Lease was deleted');
  });
});

test('unlock frees the lock of the run that was named, and of no other; its holder notices', async () => {
  const lock = lockOf('r1');
  await lock.acquire(never);
  const at = { namespace: 'runbook', lock: 'openbao/mek' };
  expect(await unlock(server.api, at, 'r2')).toBe(false);
  expect(await unlock(server.api, at, 'r1')).toBe(true);
  await pass(20_000);
  await expect(lock.assertHeld()).rejects.toThrow(LockLostError);
  const next = lockOf('r2');
  await next.acquire(never);
  await next.release();
});

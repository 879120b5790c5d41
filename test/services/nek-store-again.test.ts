import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { createLedger } from '../../src/services/ledger-real.ts';
import { NekStoreError } from '../../src/services/nek-store.ts';
import { askAgain } from '../../src/services/nek-store-again.ts';
import { type CqlAnswer, codes } from '../fakes/fake-cassandra.ts';
import { createInstantClock } from '../fakes/instant-clock.ts';
import { credentials, never, type Rig, rig, stored } from '../fakes/nek-store-rig.ts';

const trouble = (retryable: boolean) =>
  new NekStoreError('no quorum', { reason: 'no-quorum', outcome: 'not-applied', retryable });

/** Asks for something that fails for so many times, each after so many milliseconds. */
async function asking(
  fails: number,
  options: { readonly takes?: number; readonly retryable?: boolean; readonly stopAt?: number } = {},
) {
  const { takes = 0, retryable = true, stopAt } = options;
  const clock = createInstantClock();
  const stop = new AbortController();
  let asked = 0;
  const ask = async () => {
    asked += 1;
    if (takes > 0) await clock.sleep(takes, never());
    if (asked === stopAt) stop.abort();
    if (asked <= fails) throw trouble(retryable);
    return 'rows';
  };
  const answer = await askAgain(ask, clock, stop.signal).catch(({ reason }: NekStoreError) => reason);
  return { answer, asked, took: clock.now() };
}

describe('what changes nothing is asked again', () => {
  test('with growing pauses, for about as long as an API server takes to restart', async () => {
    expect(await asking(1)).toEqual({ answer: 'rows', asked: 2, took: 500 });
    expect(await asking(5)).toEqual({ answer: 'rows', asked: 6, took: 15_500 });
    expect(await asking(6)).toEqual({ answer: 'no-quorum', asked: 6, took: 15_500 });
  });

  test('no more often for failing slowly: a node that says nothing is no reason to wait for minutes', async () => {
    expect(await asking(100, { takes: 15_000 })).toEqual({ answer: 'no-quorum', asked: 2, took: 30_500 });
    expect(await asking(1, { takes: 15_000 })).toMatchObject({ answer: 'rows' });
  });

  test('not when that is of no use, and not when somebody stopped it', async () => {
    expect(await asking(1, { retryable: false })).toEqual({ answer: 'no-quorum', asked: 1, took: 0 });
    expect(await asking(3, { stopAt: 2 })).toEqual({ answer: 'no-quorum', asked: 2, took: 500 });
  });
});

const marks: CqlAnswer = { columns: { version: 'text', dirty: 'text' }, rows: [] };
const tables: CqlAnswer = { columns: { table_name: 'text' }, rows: [{ table_name: 'ess_api' }] };

/** Every kind of read, over nodes that are in trouble for a moment. */
const reads: Readonly<Record<string, (world: Rig) => Promise<unknown>>> = {
  'rows of a namespace': async ({ open }) =>
    (await (await open()).partition({ namespace: 'ns-1' }, never())).length,
  'a scan': async ({ open }) => {
    let rows = 0;
    for await (const page of (await open()).scan({}, never())) rows += page.rows.length;
    return rows > 0;
  },
  'the ledger of the migrations': async ({ pods }) => {
    const ledger = createLedger(pods, createInstantClock());
    const target = {
      namespace: 'cassandra-system',
      selector: 'app=cassandra',
      datacenter: 'ncp',
      username: Secret.fromText('username', credentials.user),
      password: Secret.fromText('password', credentials.password),
    };
    const found = await ledger.read(target, never()).finally(() => ledger.close());
    return found.map(({ keyspace }) => keyspace);
  },
};

describe.each(Object.keys(reads))('%s', (kind) => {
  const read = reads[kind];
  if (read === undefined) throw new Error(kind);
  const good = kind.startsWith('rows') ? 1 : kind.startsWith('a scan') ? true : ['ess_api'];
  const answerTo = (statement: string) =>
    statement.includes('system_schema.tables') ? tables : statement.includes('dirty') ? marks : stored;

  test.each([
    ['is shutting down', { error: codes.serverError, message: 'Server is shutting down' }, 1],
    ['lacks its neighbours', { error: codes.unavailable, message: 'Cannot achieve LOCAL_QUORUM' }, 8],
    ['breaks every connection', 'cut' as const, 4],
  ])('is had from a cluster that %s for a moment', async (_, answer, times) => {
    let asked = 0;
    await using world = await rig((statement) => {
      asked += 1;
      return asked <= times ? answer : answerTo(statement);
    });
    expect(await read(world)).toEqual(good);
  });
});

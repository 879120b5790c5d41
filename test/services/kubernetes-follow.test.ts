import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { KubernetesError, type KubernetesObject, kinds } from '../../src/services/kubernetes.ts';
import { type FakeAnswer, type FakeRequest, startFakeApiServer, status } from '../fakes/fake-apiserver.ts';

interface Watch {
  send(type: string, name: string, version: number): void;
  raw(text: string | Uint8Array): void;
  end(): void;
  cut(): void;
}

const pod = (name: string, version: number) => ({
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name, namespace: 'n', uid: `uid-${name}`, resourceVersion: String(version) },
});

/** Lists what is given, one set per list call; watches are handed to the test one after the other. */
function follower(lists: readonly FakeAnswer[]) {
  const opened: Watch[] = [];
  const waiting: ((watch: Watch) => void)[] = [];
  let listed = 0;
  let refusal: FakeAnswer | undefined;
  return {
    answer: (request: FakeRequest): FakeAnswer => {
      if (request.query.get('watch') === null) return lists[Math.min(listed++, lists.length - 1)] ?? {};
      if (refusal !== undefined) {
        const answer = refusal;
        refusal = undefined;
        return answer;
      }
      return (response) => {
        response.writeHead(200);
        response.flushHeaders();
        const watch = watchOn(response);
        const next = waiting.shift();
        if (next === undefined) opened.push(watch);
        else next(watch);
      };
    },
    watch: () =>
      new Promise<Watch>((resolve) => {
        const next = opened.shift();
        if (next === undefined) waiting.push(resolve);
        else resolve(next);
      }),
    refuseNext: (answer: FakeAnswer) => {
      refusal = answer;
    },
  };
}

function watchOn(response: ServerResponse): Watch {
  const write = (value: unknown) => response.write(`${JSON.stringify(value)}\n`);
  return {
    send: (type, name, version) => write({ type, object: pod(name, version) }),
    raw: (text) => response.write(text),
    end: () => response.end(),
    cut: () => response.socket?.resetAndDestroy(),
  };
}

const listOf = (version: number, ...items: readonly object[]): FakeAnswer => ({
  body: { metadata: { resourceVersion: String(version) }, items },
});

async function start(lists: readonly FakeAnswer[], limits: { readonly silence?: number } = {}) {
  const source = follower(lists);
  const server = await startFakeApiServer(source.answer);
  const stop = new AbortController();
  const sets = server
    .connect({ limits })
    .follow(kinds.pods, { namespace: 'n' }, stop.signal)
    [Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await sets.next();
    if (done === true) return 'end';
    return value
      .map(({ metadata }: KubernetesObject) => `${metadata.name}:${metadata.resourceVersion}`)
      .join(' ');
  };
  return { ...source, server, stop, sets, next };
}

describe('following', () => {
  test('lists first, watches from there, and yields the whole set after each event', async () => {
    const { server, next, watch, sets } = await start([listOf(5, pod('b', 2), pod('a', 1))]);
    await using _ = server;
    expect(await next()).toBe('a:1 b:2');
    const stream = await watch();
    stream.send('ADDED', 'c', 6);
    expect(await next()).toBe('a:1 b:2 c:6');
    stream.send('MODIFIED', 'a', 7);
    expect(await next()).toBe('a:7 b:2 c:6');
    stream.send('DELETED', 'b', 8);
    expect(await next()).toBe('a:7 c:6');
    expect(server.requests[0]?.query.get('resourceVersion')).toBeNull();
    expect(Object.fromEntries(server.requests[1]?.query ?? [])).toMatchObject({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: '5',
    });
    await sets.return?.(undefined);
  });

  test('a burst of events that the consumer did not take comes as one set', async () => {
    const { server, next, watch, sets } = await start([listOf(5)]);
    await using _ = server;
    expect(await next()).toBe('');
    const stream = await watch();
    const burst = Array.from({ length: 100 }, (_, index) =>
      JSON.stringify({ type: index === 0 ? 'ADDED' : 'MODIFIED', object: pod('a', 6 + index) }),
    );
    stream.raw(`${burst.join('\n')}\n`);
    expect(await next()).toBe('a:105');
    await sets.return?.(undefined);
  });

  test('events arrive whole however they are cut', async () => {
    const { server, next, watch, sets } = await start([listOf(5)]);
    await using _ = server;
    await next();
    const stream = await watch();
    const line = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: pod('pöd', 6) })}\n`);
    const middle = line.indexOf('ö') + 1;
    stream.raw(line.subarray(0, middle));
    await new Promise(setImmediate);
    stream.raw(line.subarray(middle));
    expect(await next()).toBe('pöd:6');
    await sets.return?.(undefined);
  });

  test('a stream that is cut is taken up again from the last version, bookmarks included', async () => {
    const { server, next, watch, sets } = await start([listOf(5, pod('a', 1))]);
    await using _ = server;
    await next();
    const first = await watch();
    first.send('MODIFIED', 'a', 6);
    expect(await next()).toBe('a:6');
    first.send('BOOKMARK', '', 40);
    first.raw('{"type":"MODIFIED","obj');
    first.end();
    const second = await watch();
    second.send('MODIFIED', 'a', 41);
    expect(await next()).toBe('a:41');
    second.cut();
    const third = await watch();
    third.send('MODIFIED', 'a', 42);
    expect(await next()).toBe('a:42');
    const watches = server.requests.filter(({ query }) => query.get('watch') === 'true');
    expect(watches.map(({ query }) => query.get('resourceVersion'))).toEqual(['5', '40', '41']);
    await sets.return?.(undefined);
  });

  test('410 in the stream lists again, and a set that did not change is not repeated', async () => {
    const gone = {
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' },
    };
    const lists = [listOf(5, pod('a', 1)), listOf(90, pod('a', 1)), listOf(95, pod('a', 1), pod('b', 94))];
    const { server, next, watch, sets } = await start(lists);
    await using _ = server;
    expect(await next()).toBe('a:1');
    (await watch()).raw(`${JSON.stringify(gone)}\n`);
    (await watch()).raw(`${JSON.stringify(gone)}\n`);
    expect(await next()).toBe('a:1 b:94');
    await watch();
    const watches = server.requests.filter(({ query }) => query.get('watch') === 'true');
    expect(watches.map(({ query }) => query.get('resourceVersion'))).toEqual(['5', '90', '95']);
    await sets.return?.(undefined);
  });

  test('410 when the watch is opened lists again', async () => {
    const { server, next, watch, sets, refuseNext } = await start([listOf(5), listOf(9, pod('a', 8))]);
    await using _ = server;
    refuseNext(status(410, 'Expired'));
    expect(await next()).toBe('');
    expect(await next()).toBe('a:8');
    await watch();
    await sets.return?.(undefined);
  });

  test('what was deleted while nobody watched is missing from the next set', async () => {
    const { server, next, sets, refuseNext } = await start([
      listOf(5, pod('a', 1), pod('b', 2)),
      listOf(9, pod('b', 2)),
    ]);
    await using _ = server;
    refuseNext(status(410, 'Expired'));
    expect(await next()).toBe('a:1 b:2');
    expect(await next()).toBe('b:2');
    await sets.return?.(undefined);
  });

  test('goes on through server errors, backing off', async () => {
    const lists = [listOf(5), status(503, 'ServiceUnavailable'), listOf(9, pod('a', 8))];
    const { server, next, watch, sets, refuseNext } = await start(lists);
    await using _ = server;
    refuseNext(status(500, 'InternalError'));
    expect(await next()).toBe('');
    expect(await next()).toBe('a:8');
    expect(server.clock.sleeps.length).toBeGreaterThan(0);
    await watch();
    await sets.return?.(undefined);
  });

  test('a watch that fell silent is given up and taken up again', async () => {
    const { server, next, watch, sets } = await start([listOf(5)], { silence: 60 });
    await using _ = server;
    expect(await next()).toBe('');
    await watch();
    (await watch()).send('ADDED', 'a', 6);
    expect(await next()).toBe('a:6');
    await sets.return?.(undefined);
  });

  test('watches that end at once are not reopened without a pause', async () => {
    const { server, next, watch, sets } = await start([listOf(5)]);
    await using _ = server;
    await next();
    for (let count = 0; count < 4; count++) (await watch()).end();
    (await watch()).send('ADDED', 'a', 6);
    expect(await next()).toBe('a:6');
    expect(server.clock.sleeps.filter((ms) => ms >= 100).length).toBeGreaterThanOrEqual(3);
    await sets.return?.(undefined);
  });

  test('a failure of the first list is told', async () => {
    const { server, next } = await start([status(403, 'Forbidden')]);
    await using _ = server;
    await expect(next()).rejects.toMatchObject({ status: 403 });
  });

  test('rights that are taken away end it with an error', async () => {
    const { server, next, refuseNext } = await start([listOf(5)]);
    await using _ = server;
    refuseNext(status(403, 'Forbidden'));
    expect(await next()).toBe('');
    await expect(next()).rejects.toBeInstanceOf(KubernetesError);
  });

  test('ends promptly with the signal, and closes the stream', async () => {
    const { server, next, watch, stop } = await start([listOf(5)]);
    await using _ = server;
    await next();
    await watch();
    const pending = next();
    stop.abort();
    expect(await pending).toBe('end');
  });

  test('brings a change within 100 ms', async () => {
    const { server, next, watch, sets } = await start([listOf(5)]);
    await using _ = server;
    await next();
    const stream = await watch();
    const delays: number[] = [];
    for (let version = 6; version < 26; version++) {
      const sent = performance.now();
      stream.send('MODIFIED', 'a', version);
      expect(await next()).toBe(`a:${version}`);
      delays.push(performance.now() - sent);
    }
    delays.sort((a, b) => a - b);
    expect(delays[delays.length >> 1]).toBeLessThan(100);
    await sets.return?.(undefined);
  });
});

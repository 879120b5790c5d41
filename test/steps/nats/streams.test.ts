import { describe, expect, test } from 'vitest';
import { streams } from '../../../src/steps/nats/streams.ts';
import {
  type Answer,
  expected,
  names,
  peer,
  rigOf,
  server,
  silent,
  streamOf,
  target,
} from './servers-rig.ts';

describe('nats.streams', () => {
  const run = async (answers: Readonly<Record<string, Answer | readonly Answer[]>>, expect = expected) => {
    const { ctx, clock, asked } = rigOf(answers);
    const running = streams.run({ ...target, expect }, ctx);
    await clock.advance(500);
    await clock.advance(10_000);
    return { outputs: await running, asked: asked.length };
  };

  test('a stream with all its copies is complete', async () => {
    const { outputs, asked } = await run({});
    expect(outputs).toMatchObject({
      known: true,
      complete: true,
      missing: [],
      unknown: [],
      messages: 12,
      summary: 'TerminateNvcaStream 12 messages on 3 of 3',
    });
    expect(outputs.streams).toEqual([
      {
        account: 'APP',
        name: 'TerminateNvcaStream',
        created: '2027-01-01T00:00:00Z',
        leader: 'nats-1',
        storage: 'memory',
        replicas: 3,
        current: 3,
        messages: 12,
        bytes: 480,
        lastSequence: 40,
        complete: true,
        problem: '',
      },
    ]);
    expect(asked).toBe(3);
  });

  test('a copy that is empty does not count, although its leader believes in it', async () => {
    const empty = streamOf(server('nats-2'), { messages: 0, lastSequence: 0 });
    const { outputs } = await run({ 'nats-2': empty });
    expect(outputs.complete).toBe(false);
    expect(outputs.streams[0]).toMatchObject({
      current: 2,
      complete: false,
      problem: '2 of 3 copies are current; not on nats-2',
    });
  });

  test('a copy that was only asked a moment too early counts', async () => {
    const early = streamOf(server('nats-2'), { messages: 11, lastSequence: 39 });
    const { outputs, asked } = await run({ 'nats-2': [early, server('nats-2')] });
    expect(outputs.complete).toBe(true);
    expect(asked).toBe(4);
  });

  test.each([
    ['is offline', { offline: true }],
    ['is not current', { current: false }],
  ])('a copy of which the leader says that it %s does not count', async (_, change) => {
    const leader = streamOf(server('nats-1'), { peers: [peer('nats-0'), peer('nats-2', change)] });
    const { outputs } = await run({ 'nats-1': leader });
    expect(outputs.streams[0]?.problem).toBe('2 of 3 copies are current; not on nats-2');
  });

  test('a copy of a stream that was made at another time does not count', async () => {
    const other = streamOf(server('nats-2'), { created: '2027-02-02T00:00:00Z' });
    expect((await run({ 'nats-2': other })).outputs.complete).toBe(false);
  });

  test('without a leader nothing is current', async () => {
    const leaderless = names.map((name) => [name, streamOf(server(name), { leader: undefined })]);
    const { outputs } = await run(Object.fromEntries(leaderless));
    expect(outputs.streams[0]).toMatchObject({
      leader: '',
      current: 0,
      complete: false,
      problem: 'no server that answered leads it',
    });
  });

  test('a stream that no server has is missing, and the way out is said', async () => {
    const { outputs } = await run({}, ['CreateNvcaFunctionTaskStream', ...expected]);
    expect(outputs).toMatchObject({
      missing: ['CreateNvcaFunctionTaskStream'],
      unknown: [],
      complete: false,
    });
    const { details, hint } = streams.findings?.(outputs) ?? { details: [] };
    expect(details).toEqual(['stream CreateNvcaFunctionTaskStream does not exist']);
    expect(hint).toContain('NATS_RECONNECT_ALLOWED=true');
  });

  test('while a server is silent it is unknown instead: that one may have it', async () => {
    const { outputs } = await run({ 'nats-2': silent }, ['CreateNvcaFunctionTaskStream', ...expected]);
    expect(outputs).toMatchObject({
      known: false,
      missing: [],
      unknown: ['CreateNvcaFunctionTaskStream'],
      complete: false,
    });
    expect(streams.findings?.(outputs).details).toEqual([
      'whether stream CreateNvcaFunctionTaskStream exists is unknown',
      `not asked: nats-2: ${silent.message}`,
      'stream TerminateNvcaStream: 2 of 3 copies are current',
    ]);
  });

  test('a server that falls silent at the second look is not known any more', async () => {
    const early = streamOf(server('nats-2'), { lastSequence: 1 });
    expect((await run({ 'nats-2': [early, silent] })).outputs.known).toBe(false);
  });
});

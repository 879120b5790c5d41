import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { connect } from '../api.ts';
import { ensureHelm } from '../build.ts';
import { ensureUp, reset, rootToken } from '../control.ts';
import type { RunbookCase } from './battery/case.ts';
import { cases } from './battery/cases/index.ts';
import { failAndRollBack, killAndResume, type Stage, succeed, type Told } from './battery/perform.ts';
import { lineOf, type Row, tableOf } from './battery/table.ts';
import { randomFrom } from './random.ts';

const all = process.env.RUNBOOK_ALL_CASES === 'true';
const only = process.env.RUNBOOK_ONLY?.split(',');
/** The same every time unless told, so that a change is to blame for what it breaks. */
const seed = Number(process.env.RUNBOOK_CASES_SEED ?? 1);
const folder = path.resolve(import.meta.dirname, '../../../runbooks');
/** How many of the failures and kills a usual test run draws. */
const share = 3;

const random = randomFrom(seed);
const rows: Row[] = [];
let stage: Stage;

beforeAll(async () => {
  const { kubeconfig } = await ensureUp();
  await reset();
  stage = {
    kubeconfig,
    admin: connect(kubeconfig),
    token: await rootToken(),
    helm: await ensureHelm(),
    said: [],
  };
});

beforeEach(reset);

afterAll(async () => {
  process.stderr.write(`seed ${seed}\n${tableOf(rows)}\n`);
  await reset();
});

function chosen(): readonly RunbookCase[] {
  return only === undefined ? cases : cases.filter(({ runbook }) => only.includes(runbook));
}

function drawn(from: readonly RunbookCase[]): readonly RunbookCase[] {
  if (all || only !== undefined) return from;
  const order = from
    .filter(({ slow }) => slow === undefined)
    .map((given) => ({ given, at: random() }))
    .sort((one, other) => one.at - other.at);
  return order.slice(0, share).map(({ given }) => given);
}

async function record(given: RunbookCase, way: Row['path'], work: () => Promise<Told>): Promise<void> {
  const begun = performance.now();
  const row = (outcome: string) => {
    const told = { runbook: given.runbook, path: way, outcome, seconds: (performance.now() - begun) / 1000 };
    rows.push(told);
    process.stderr.write(`${lineOf(told)}\n`);
  };
  try {
    row((await work()).outcome);
  } catch (error) {
    row('FAILED');
    throw error;
  }
}

const named = (list: readonly RunbookCase[]) => list.map((given) => [given.runbook, given] as const);

test('every shipped runbook has a case', () => {
  const shipped = readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .filter((name) => {
      const document = parse(readFileSync(path.join(folder, name), 'utf8')) as { apiVersion: string };
      return document.apiVersion === 'runbook/v1';
    })
    .map((name) => name.replace('.yaml', ''));
  expect(cases.map(({ runbook }) => runbook).sort()).toEqual(shipped.sort());
});

/** What no other file covers and what takes no minutes. */
function successes(): readonly RunbookCase[] {
  if (all || only !== undefined) return chosen();
  return cases.filter((given) => given.slow === undefined && given.alsoIn === undefined);
}

describe('does what it says', () => {
  test.each(named(successes()))('%s', async (_, given) => {
    await record(given, 'success', () => succeed(stage, given));
  });
});

describe(`fails, and leads back (seed ${seed})`, () => {
  const failing = drawn(chosen().filter(({ failure }) => failure !== undefined));
  test.each(named(failing))('%s', async (_, given) => {
    await record(given, 'failure', () => failAndRollBack(stage, given));
  });
});

describe(`is killed, and goes on (seed ${seed})`, () => {
  const killed = drawn(chosen().filter((given) => given.killed));
  test.each(named(killed))('%s', async (_, given) => {
    await record(given, 'kill', () => killAndResume(stage, given, { random, restore: reset }));
  });
});

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { ensureUp, reset, rootToken, seedKeys } from '../test/stack/control.ts';
import { onlyTheMasterKey } from '../test/stack/e2e/key-runbooks.ts';
import { rowByRow } from './row-by-row.ts';

/*
 * The built program re-encrypts 100,000 namespace keys on the test cluster, as a thousand namespaces of a hundred keys and as a
 * hundred thousand of one, beside a plain loop that does the same row by row; then its memory, and the time of a rotation.
 * node scripts/run-ts.mjs bench/stack.ts [keys] [keys of the loop]
 */

const [total = 100_000, ofLoop = 4000] = process.argv.slice(2).map(Number);
/** What ESS's own source gives for 100,000 keys. */
const byEss = 40;
const inFlight = 128;
const { kubeconfig } = await ensureUp();
const folder = mkdtempSync(path.join(tmpdir(), 'runbook-bench-'));
const peak = path.join(folder, 'peak.mjs');
const env = { PATH: process.env.PATH, HOME: folder, KUBECONFIG: kubeconfig, BAO_TOKEN: await rootToken() };

interface Told {
  readonly time: string;
  readonly type: string;
  readonly id?: string;
  readonly outputs?: unknown;
}

interface Ran {
  readonly events: readonly Told[];
  /** By step. */
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly megabytes: number;
}

function runbook(args: readonly string[], more: Readonly<Record<string, string>> = {}): Ran {
  const cli = path.resolve(import.meta.dirname, '../dist/cli.js');
  const options = {
    cwd: folder,
    env: { ...env, ...more, NODE_OPTIONS: `--import ${peak}` },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args, '--output', 'json'], options);
  if (status !== 0) throw new Error(`exit ${status}: ${stderr}\n${stdout.slice(-5000)}`);
  const lines = stdout.split('\n').filter((text) => text.startsWith('{"version":1,'));
  const events = lines.map((line) => JSON.parse(line) as Told);
  const done = events.filter(({ type, id }) => type === 'done' && id !== undefined);
  return {
    events,
    outputs: Object.fromEntries(done.map(({ id, outputs }) => [id, outputs])),
    megabytes: Number(/peak rss (\d+)/.exec(stderr)?.[1] ?? Number.NaN) / 1024,
  };
}

interface Reencrypted {
  readonly rewrapped: number;
  readonly rows: number;
  readonly passes: number;
  readonly seconds: number;
}

async function seeded(keys: number, each: number): Promise<void> {
  await reset();
  await seedKeys({ namespaces: keys / each, neksPerNamespace: each, secrets: 100 });
}

function reencrypt(): Ran & { readonly figures: Reencrypted } {
  const ran = runbook(['exec', 'nek-reencryption', '--yes', '--input', 'rowsPerSecond=1000000']);
  return { ...ran, figures: ran.outputs.reencrypt as Reencrypted };
}

function say(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n\n`);
}

/** From the first to the last event, and how much of it went by in the steps that wait for pods. */
function times({ events }: Ran): { readonly whole: number; readonly waiting: number } {
  const at = (event: Told | undefined) => Date.parse(event?.time ?? '');
  const waits = events
    .filter(({ type, id }) => type === 'intended' && id?.endsWith('/converge') === true)
    .map((begun) => at(events.find(({ type, id }) => type === 'done' && id === begun.id)) - at(begun));
  return {
    whole: (at(events.at(-1)) - at(events[0])) / 1000,
    waiting: waits.reduce((sum, ms) => sum + ms, 0) / 1000,
  };
}

writeFileSync(path.join(folder, 'publish.yaml'), onlyTheMasterKey);
writeFileSync(
  peak,
  `process.on('exit', () => process.stderr.write('peak rss ' + process.resourceUsage().maxRSS + '\\n'));\n`,
);
try {
  for (const each of [100, 1]) {
    await seeded(total, each);
    await seedKeys({
      namespaces: ofLoop / each,
      neksPerNamespace: each,
      secrets: 0,
      prefix: 'row-by-row',
    });
    runbook(['exec', 'publish.yaml', '--yes']);
    const plain = await rowByRow(kubeconfig, 'row-by-row', inFlight);
    const { outputs, figures, megabytes } = reencrypt();
    const rate = figures.rewrapped / figures.seconds;
    say(
      `${total / each} namespaces with ${each} keys`,
      `nek.reencrypt  ${figures.seconds} s for ${figures.rewrapped} keys, ${Math.round(rate)} a second; ${figures.rows} rows, ${figures.passes} passes, ${Math.round(megabytes)} MB`,
      `ESS            ${byEss} s for 100000 keys, by its own source`,
      `row by row     ${Math.round(plain)} a second, ${inFlight} in flight, ${ofLoop} keys`,
      `ratio          ${(rate / plain).toFixed(1)} (4 is wanted)`,
      `nek.census     ${(outputs.clean as { seconds: number }).seconds} s`,
      `nek.verify     ${(outputs.verified as { summary: string }).summary}`,
    );
  }
  const tenth = total / 10;
  await seeded(tenth, 10);
  runbook(['exec', 'publish.yaml', '--yes']);
  say(`memory with ${tenth} keys  ${Math.round(reencrypt().megabytes)} MB`);

  await seeded(100, 1);
  const identity = await generateIdentity();
  const recipients = `ageRecipients=${await identityToRecipient(identity)}`;
  const rotated = runbook(
    ['exec', 'mek-rotation', '--yes', '--input', 'reloadWithin=5s', '--input', recipients],
    { RUNBOOK_SECRET_AGE_IDENTITY: identity },
  );
  const { whole, waiting } = times(rotated);
  say(
    `mek-rotation with 100 keys more  ${whole.toFixed(1)} s, ${waiting.toFixed(1)} s of it in waits for pods, ${(whole - waiting).toFixed(1)} s beside them`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
  await reset();
}

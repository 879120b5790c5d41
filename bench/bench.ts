import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { rewrapRates } from './rewrap.ts';

/*
 * Ratios measured within one run: machines are shared and noisy, so a figure means something only beside its neighbour.
 * `npm run bench` prints the table; nothing here is asserted.
 */

const root = path.dirname(import.meta.dirname);
const cli = path.join(root, 'dist', 'cli.js');
const folder = mkdtempSync(path.join(tmpdir(), 'runbook-bench-'));
const env = { PATH: process.env.PATH ?? '', HOME: folder, XDG_STATE_HOME: path.join(folder, 'state') };

function node(
  args: readonly string[],
  extra: Readonly<Record<string, string>> = {},
): { ms: number; stderr: string; stdout: string } {
  const begun = performance.now();
  const result = spawnSync(process.execPath, [...args], {
    cwd: folder,
    env: { ...env, ...extra },
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  const ms = performance.now() - begun;
  if (result.status !== 0)
    throw new Error(`${args.join(' ')} ended with ${result.status}:\n${result.stderr.slice(-2000)}`);
  return { ms, stderr: result.stderr, stdout: result.stdout };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Interleaved, so that a slow stretch of the machine hits both sides. */
function compare(
  rounds: number,
  left: readonly string[],
  right: readonly string[],
): { left: number; right: number } {
  const taken: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    taken[0].push(node(left).ms);
    taken[1].push(node(right).ms);
  }
  return { left: median(taken[0]), right: median(taken[1]) };
}

function document(name: string, steps: string): string {
  const file = path.join(folder, `${name}.yaml`);
  writeFileSync(
    file,
    `apiVersion: runbook/v1\nname: ${name}\ntitle: ${name}\ndescription: made for a measurement\nsteps:\n${steps}`,
  );
  return file;
}

function execSteps(count: number): string {
  return Array.from(
    { length: count },
    (_, index) => `  - {id: s${index}, uses: exec, with: {command: ['true'], effect: read}}\n`,
  ).join('');
}

const rows: (readonly [string, string, string])[] = [];

function row(what: string, measured: number, limit: number, unit: string): void {
  rows.push([
    what,
    `${measured.toFixed(2)} ${unit}`,
    `${measured <= limit ? 'within' : 'MISSES'} ${limit} ${unit}`,
  ]);
}

const version = compare(15, [cli, '--version'], ['-e', '0']);
row('runbook --version / node -e 0', version.left / version.right, 1.5, '×');

const twenty = document('twenty', execSteps(20));
const validated = compare(15, [cli, 'validate', twenty], ['-e', '0']);
row('validate of 20 steps / node -e 0', validated.left / validated.right, 2.5, '×');

// From the first to the last event of 1,000 notes, which do no work of their own: decide, perform, append, sync, show.
const notes = document(
  'notes',
  Array.from(
    { length: 1000 },
    (_, index) => `  - {id: n${index}, uses: note, with: {text: step ${index}}}\n`,
  ).join(''),
);
const perStep = Array.from({ length: 5 }, () => {
  const lines = node([cli, 'exec', notes, '--yes', '--output', 'json']).stdout.trim().split('\n');
  const times = [lines[0], lines.at(-1)].map((line) =>
    Date.parse((JSON.parse(line ?? '{}') as { time: string }).time),
  );
  return ((times[1] ?? 0) - (times[0] ?? 0)) / 1000;
});
row('a step with synced journal', median(perStep), 1, 'ms');

const thousand = document('thousand', execSteps(1000));
const one = document('one', execSteps(1));
const bare = path.join(folder, 'bare.mjs');
writeFileSync(
  bare,
  `import { spawn } from 'node:child_process';\nfor (let i = 0; i < Number(process.argv[2]); i++) await new Promise((done) => spawn('true', { detached: true }).on('close', done));\n`,
);
const spawned = compare(3, [cli, 'exec', thousand, '--yes', '--output', 'json'], [bare, '1000']);
const idle = compare(3, [cli, 'exec', one, '--yes', '--output', 'json'], [bare, '1']);
row(
  '1,000 × exec true / the same spawns',
  (spawned.left - idle.left) / (spawned.right - idle.right),
  1.2,
  '×',
);

// 10,000 instances: 5,000 steps, and one forEach of 5,000 with a late reference.
const items = JSON.stringify(Array.from({ length: 5000 }, (_, index) => `i${index}`));
const huge = document(
  'huge',
  `${Array.from({ length: 4999 }, (_, index) => `  - {id: n${index}, uses: note, with: {text: step ${index}}}\n`).join('')}  - {id: each, forEach: ${items}, as: item, uses: note, with: {text: '{{item}} after {{steps.n7.outputs.text}}'}}\n`,
);
const read = node([cli, 'validate', huge]).ms - validated.left;
row('read of 10,000 steps', read / 1000, 1, 's');
const planned = node([cli, 'plan', huge, '--sandbox', '--out', path.join(folder, 'plan.json')], {
  NODE_OPTIONS: `--import ${path.join(folder, 'rss.mjs')}`,
  ...rss(),
});
row('plan of 10,000 steps (read included)', planned.ms / 1000, 6, 's');
row(
  'memory of that plan',
  Number(/peak rss (\d+)/.exec(planned.stderr)?.[1] ?? Number.NaN) / 1024,
  300,
  'MB',
);

function rss(): Readonly<Record<string, string>> {
  writeFileSync(
    path.join(folder, 'rss.mjs'),
    `process.on('exit', () => process.stderr.write('peak rss ' + process.resourceUsage().maxRSS + '\\n'));\n`,
  );
  return {};
}

const rewrap = rewrapRates(5000);
// At least 0.7 of the rate.
row(
  `re-wrap of a namespace key (${Math.round(rewrap.ours)}/s) / bare node:crypto`,
  rewrap.bare / rewrap.ours,
  1.43,
  '×',
);

rmSync(folder, { recursive: true, force: true });
const width = Math.max(...rows.map(([what]) => what.length));
for (const [what, measured, verdict] of rows)
  process.stdout.write(`${what.padEnd(width)}  ${measured.padStart(10)}  ${verdict}\n`);

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureUp, reset, rootToken, seedKeys } from '../test/stack/control.ts';
import { onlyTheMasterKey } from '../test/stack/e2e/key-runbooks.ts';

/*
 * The built program re-encrypts 100,000 namespace keys on the test cluster: a thousand namespaces of a hundred keys, and
 * a hundred thousand namespaces of one.
 * node scripts/run-ts.mjs bench/stack.ts [keys]
 */

const [total = 100_000] = process.argv.slice(2).map(Number);
const { kubeconfig } = await ensureUp();
const folder = mkdtempSync(path.join(tmpdir(), 'runbook-bench-'));
const env = { PATH: process.env.PATH, HOME: folder, KUBECONFIG: kubeconfig, BAO_TOKEN: await rootToken() };

function runbook(...args: string[]): Record<string, unknown> {
  const cli = path.resolve(import.meta.dirname, '../dist/cli.js');
  const options = { cwd: folder, env, encoding: 'utf8', maxBuffer: 1 << 28 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args, '--output', 'json'], options);
  if (status !== 0) throw new Error(`exit ${status}: ${stderr}\n${stdout.slice(-5000)}`);
  const results: Record<string, unknown> = {};
  for (const line of stdout.split('\n').filter((text) => text.startsWith('{"version":1,'))) {
    const { type, id, outputs } = JSON.parse(line) as { type: string; id?: string; outputs?: unknown };
    if (type === 'done' && id !== undefined) results[id] = outputs;
  }
  return results;
}

writeFileSync(path.join(folder, 'publish.yaml'), onlyTheMasterKey);
try {
  for (const each of [100, 1]) {
    await reset();
    const seeded = performance.now();
    await seedKeys({ namespaces: total / each, neksPerNamespace: each, secrets: 100 });
    const seeding = (performance.now() - seeded) / 1000;
    runbook('exec', 'publish.yaml', '--yes');
    const results = runbook('exec', 'nek-reencryption', '--yes', '--input', 'rowsPerSecond=1000000');
    const { rewrapped, rows, passes, seconds } = results.reencrypt as Record<string, number>;
    const census = results.clean as { seconds: number };
    const verified = results.verified as { summary: string };
    process.stdout.write(
      [
        `${total / each} namespaces with ${each} keys (seeded in ${seeding.toFixed(0)} s)`,
        `nek.reencrypt  ${seconds} s for ${rewrapped} keys, ${Math.round((rewrapped ?? 0) / (seconds ?? 1))} a second; ${rows} rows, ${passes} passes`,
        `nek.census     ${census.seconds} s`,
        `nek.verify     ${verified.summary}`,
        '',
      ].join('\n'),
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
  await reset();
}

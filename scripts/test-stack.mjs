// Runs the tests on the real cluster: `node scripts/test-stack.mjs [--all] [vitest's own arguments]`.
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const given = process.argv.slice(2);
const all = given.includes('--all');
const vitest = path.resolve('node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', 'vitest.stack.config.ts', ...given.filter((word) => word !== '--all')],
  { stdio: 'inherit', env: { ...process.env, ...(all ? { RUNBOOK_ALL_CASES: 'true' } : {}) } },
);
process.exitCode = status ?? 1;

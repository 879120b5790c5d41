import { configDefaults, defineConfig } from 'vitest/config';
import { failuresAtOnce } from './test/stack/failures-at-once.ts';

/** What a usual run has no time for; `npm run test:stack -- --all` has. */
const long = ['all-runbooks', 'cassandra', 'control-plane-backup', 'helm-days', 'nats'];

// One file at a time: the tests share one cluster.
export default defineConfig({
  define: { RUNBOOK_VERSION: '"0.0.0-test"' },
  test: {
    include: ['test/stack/**/*.test.ts'],
    exclude: [
      ...configDefaults.exclude,
      ...(process.env.RUNBOOK_ALL_CASES === 'true'
        ? []
        : long.map((name) => `test/stack/e2e/${name}.test.ts`)),
    ],
    fileParallelism: false,
    reporters: ['default', failuresAtOnce],
    testTimeout: 600_000,
    hookTimeout: 900_000,
  },
});

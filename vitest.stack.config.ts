import { defineConfig } from 'vitest/config';

// One file at a time: the tests share one cluster.
export default defineConfig({
  define: { RUNBOOK_VERSION: '"0.0.0-test"' },
  test: {
    include: ['test/stack/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 900_000,
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  define: { RUNBOOK_VERSION: '"0.0.0-test"' },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/stack/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

import type { Reporter } from 'vitest/node';

/** Prints a failure when it happens: a run on the cluster takes too long to wait for its end. */
export const failuresAtOnce: Reporter = {
  onTestCaseResult(test) {
    const result = test.result();
    if (result.state !== 'failed') return;
    const said = result.errors.map(({ stack, message }) => stack ?? message).join('\n');
    process.stderr.write(`\nfailed at ${new Date().toISOString()}: ${test.fullName}\n${said}\n\n`);
  },
};

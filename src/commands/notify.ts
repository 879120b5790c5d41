import type { Plan } from '../engine/plan/plan.ts';
import type { RunEvent } from '../engine/run/event.ts';
import { safeJson, safeLine } from '../output/safe-text.ts';
import type { SendSignal } from '../services/process.ts';
import { createProcessRunner } from '../services/process-node.ts';

/** Runs a program when a human is needed or a run ends. Its failure is a warning, never the run's. */
export interface Notifier {
  handle(event: RunEvent): void;
  /** Resolves when every program has ended. */
  end(): Promise<void>;
}

const worthTelling = new Set<RunEvent['type']>([
  'suspended',
  'asked',
  'failed',
  'unknown',
  'undo-failed',
  'lock-lost',
  'run-finished',
]);
/** Milliseconds after which a program that was notified is ended. */
const PATIENCE = 30_000;

export function createNotifier(
  program: string | undefined,
  about: {
    readonly run: string;
    readonly plan: Plan;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly kill: SendSignal;
    readonly warn: (text: string) => void;
  },
): Notifier {
  if (program === undefined) return { handle: () => undefined, end: async () => undefined };
  const runner = createProcessRunner({ environment: about.env, kill: about.kill });
  let last = Promise.resolve();
  return {
    handle(event) {
      if (!worthTelling.has(event.type)) return;
      const message = `${safeJson({ version: 1, run: about.run, runbook: about.plan.runbook.name, title: about.plan.runbook.title, event })}\n`;
      // One after the other: a human reads them in the order in which they happened.
      last = last
        .then(async () => {
          const result = await runner.run(
            { file: program, args: [event.type, about.run], stdin: Buffer.from(message) },
            AbortSignal.timeout(PATIENCE),
          );
          if (result.exitCode !== 0)
            about.warn(`warning: ${safeLine(program)} ended with ${result.exitCode ?? result.signal}\n`);
        })
        .catch((error: unknown) =>
          about.warn(
            `warning: cannot notify through ${safeLine(program)}: ${safeLine(error instanceof Error ? error.message : String(error))}\n`,
          ),
        );
    },
    end: () => last,
  };
}

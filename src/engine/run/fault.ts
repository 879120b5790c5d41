import { StepError } from '../step-type.ts';
import type { Fault, Runtime } from './runtime.ts';
import type { Call } from './step-call.ts';
import { nodePath } from './structure.ts';

/** What is to go wrong with this attempt: faults strike the first attempt of the first session only, so that a resume gets through. */
export function faultAt(runtime: Runtime, call: Call): Fault | undefined {
  const { id, attempts, failures } = call.instance;
  const first = attempts === 0 && failures === 0 && runtime.state().sessions === 1;
  return first ? (runtime.faults?.get(id) ?? runtime.faults?.get(nodePath(id))) : undefined;
}

/** Runs an effect with a fault in it. */
export async function withFault<T>(
  runtime: Runtime,
  fault: Fault | undefined,
  work: { readonly signal: AbortSignal; readonly run: () => Promise<T> },
): Promise<T> {
  switch (fault) {
    case undefined:
      return work.run();
    case 'error':
      throw new StepError('injected-error', 'the sandbox made this step fail', { outcome: 'not-applied' });
    case 'timeout':
      await runtime.clock.sleep(Number.MAX_SAFE_INTEGER, work.signal);
      throw new StepError('aborted', 'no answer came');
    case 'crash-before':
      runtime.crash?.();
      return never();
    case 'crash-after':
      await work.run();
      runtime.crash?.();
      return never();
    case 'lost-answer':
      await work.run();
      throw new StepError('injected-lost-answer', 'the sandbox lost the answer to this step', {
        retryable: true,
      });
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}

import { StepError } from '../step-type.ts';
import type { Runtime } from './runtime.ts';

const forEver = 90 * 86_400_000;

/** Runs an operation of an instance, with the fault that the sandbox was asked to put before or after it. */
export async function withFaults<T>(
  runtime: Runtime,
  id: string,
  work: { readonly signal: AbortSignal; readonly run: () => Promise<T> },
): Promise<T> {
  switch (runtime.faults?.take(id, 'before')) {
    case 'error':
      throw new StepError('injected-error', 'the sandbox made this step fail', { outcome: 'not-applied' });
    case 'timeout':
      await runtime.clock.sleep(forEver, work.signal);
      throw new StepError('aborted', 'no answer came');
    case 'crash-before':
      return crash(runtime);
    default:
  }
  const answer = await work.run();
  return runtime.faults?.take(id, 'after') === 'crash-after' ? crash(runtime) : answer;
}

function crash<T>(runtime: Runtime): Promise<T> {
  runtime.crash?.();
  return new Promise(() => undefined);
}

import type { JsonObject } from '../json.ts';
import { lookupFor } from '../plan/scope.ts';
import { sealSecrets } from '../secret.ts';
import { renderValue } from '../template.ts';
import type { ActionOf } from './action.ts';
import { scopeSource } from './facts.ts';
import type { Runtime } from './runtime.ts';

/** The last records of a session: the outputs, the locks, and what came of it. */
export async function finish(runtime: Runtime, action: ActionOf<'finish'>): Promise<void> {
  const { outcome, exitCode, text } = action;
  // A check whose verdict is bad news has outputs too: they are what it was run for.
  const outputs = outcome === 'done' || outcome === 'failed' ? outputsOf(runtime, outcome === 'done') : {};
  try {
    if (outcome === 'waiting') await runtime.lock.keep();
    else if (await runtime.lock.release()) runtime.record([{ type: 'unlocked' }]);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    runtime.record([
      { type: 'warning', code: 'lock-not-released', message: `the lock stays behind: ${why}` },
    ]);
  }
  runtime.record([{ type: 'run-finished', outcome, exitCode, outputs, text }], { sync: true });
}

function outputsOf(runtime: Runtime, complete: boolean): JsonObject {
  const source = scopeSource(runtime.plan, runtime.state(), runtime.inputs);
  const outputs: Record<string, JsonObject[string]> = {};
  for (const [name, template] of Object.entries(runtime.plan.outputs)) {
    const value = renderValue(template, lookupFor(source, ''));
    if (value.state === 'known') outputs[name] = sealSecrets(value.value);
    else if (complete) {
      const why = value.state === 'missing' ? value.why : `it needs ${value.after.join(', ')}`;
      runtime.record([
        { type: 'warning', code: 'no-output', message: `there is no output "${name}": ${why}` },
      ]);
    }
  }
  return outputs;
}

import type { JsonObject } from '../json.ts';
import { loadSecrets } from '../secret.ts';
import type { ActionOf } from './action.ts';
import { bounded } from './deadline.ts';
import { operationKey } from './operation-key.ts';
import { mayChangeNow } from './perform-change.ts';
import { retryTime } from './retry.ts';
import { failureOf } from './run-error.ts';
import type { Runtime } from './runtime.ts';
import { type Call, callFor, changeOf, runContext } from './step-call.ts';

/** One step of the way back. */
export async function undo(runtime: Runtime, action: ActionOf<'undo'>): Promise<void> {
  const { id } = action;
  switch (action.part) {
    case 'begin':
      runtime.record([{ type: 'rollback-started', why: reason(runtime) }], { sync: true });
      return;
    case 'close':
      runtime.record([{ type: 'undone', id, evidence: 'its rollback steps came to their end' }], {
        sync: true,
      });
      return;
    case 'skip': {
      const irreversible = action.code === 'irreversible';
      runtime.record([{ type: 'undo-skipped', id, why: action.why, irreversible }], { sync: true });
      return;
    }
    case 'fail':
      runtime.record([{ type: 'undo-failed', id, error: { code: action.code, message: action.why } }], {
        sync: true,
      });
      return;
    case 'type':
      return undoByType(runtime, id);
  }
}

function reason(runtime: Runtime): string {
  const { failure } = runtime.state();
  if (failure === undefined) return 'asked to roll back';
  return failure.id === '@run' ? failure.error.message : `"${failure.id}" failed: ${failure.error.message}`;
}

async function undoByType(runtime: Runtime, id: string): Promise<void> {
  try {
    const call = callFor(runtime, id);
    const type = changeOf(call);
    if (typeof type.undo !== 'function') {
      const why = type.undo.irreversible;
      runtime.record([{ type: 'undo-skipped', id, why, irreversible: true }], { sync: true });
    } else if (await mayChangeNow(runtime)) await effect(runtime, call, type.undo.bind(type));
  } catch (thrown) {
    const { error } = failureOf(thrown);
    runtime.record([{ type: 'undo-failed', id, error }], { sync: true });
  }
}

type UndoFunction = Extract<ReturnType<typeof changeOf>['undo'], (...parameters: never) => unknown>;

async function effect(runtime: Runtime, call: Call, run: UndoFunction): Promise<void> {
  const { instance, node, timeout, input } = call;
  const { id } = instance;
  const attempt = instance.undoAttempts + 1;
  const deadline = runtime.clock.now() + timeout;
  const key = operationKey(runtime.state().run, id);
  runtime.record([{ type: 'intended', id, operationKey: key, attempt, deadline, undo: true }], {
    sync: true,
  });
  try {
    const before = instance.before ?? { state: null, witnesses: [] };
    const outputs: JsonObject | undefined = instance.outputs;
    await bounded(runtime, { deadline, timeout }, (signal) =>
      loadSecrets(input).then(() =>
        run(input, before, outputs, runContext(runtime, call, { deadline, signal })),
      ),
    );
  } catch (thrown) {
    const { error, outcome } = failureOf(thrown);
    const retryAt = retryTime(runtime, { id, node, failures: instance.undoFailures }, error);
    const again = retryAt === undefined ? {} : { retryAt };
    runtime.record([{ type: 'attempt-failed', id, attempt, error, outcome, ...again, undo: true }], {
      sync: true,
    });
    return;
  }
  runtime.record([{ type: 'result', id, outputs: {}, undo: true }], { sync: true });
}

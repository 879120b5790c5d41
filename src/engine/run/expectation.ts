import { explainExpression } from '../expression.ts';
import type { JsonObject } from '../json.ts';
import { decideCondition } from '../plan/elements.ts';
import { findingsOf } from '../plan/findings.ts';
import type { AnyStepType } from '../step-type.ts';
import type { RunError } from './event.ts';
import { scopeSource } from './facts.ts';
import type { Runtime } from './runtime.ts';

/** Undefined when `expect` holds (or there is none); otherwise the failure, with the values that made it false. */
export function expectationFailure(
  runtime: Runtime,
  check: {
    readonly id: string;
    readonly expect: string | undefined;
    readonly outputs: JsonObject;
    readonly type: AnyStepType;
  },
): RunError | undefined {
  const { id, expect, outputs, type } = check;
  if (expect === undefined) return undefined;
  const source = scopeSource(runtime.plan, runtime.state(), runtime.inputs);
  const decided = decideCondition(source, id, { text: expect, own: { outputs } });
  if (decided.state === 'invalid')
    return { code: 'expect-invalid', message: `expect cannot be decided: ${decided.why}` };
  if (decided.state === 'unknown')
    return {
      code: 'expect-invalid',
      message: `expect needs ${decided.after.join(', ')}, which has not run`,
    };
  if (decided.value) return undefined;
  const found = findingsOf(type, outputs);
  const details = [...explainExpression(expect, decided.values), ...found.details];
  return {
    code: 'expect-failed',
    message: `expected ${expect}`,
    ...(details.length === 0 ? {} : { details }),
    ...(found.hint === undefined ? {} : { hint: found.hint }),
  };
}

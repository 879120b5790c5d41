import type { JsonObject } from '../json.ts';
import type { AnyStepType, Findings } from '../step-type.ts';

const most = 20;

/** What a reading step says about its outputs when they are not as expected; shortened to what people read. */
export function findingsOf(type: AnyStepType, outputs: JsonObject): Findings {
  const found = type.effect === 'read' ? type.findings?.(outputs) : undefined;
  if (found === undefined || found.details.length <= most) return found ?? { details: [] };
  return { ...found, details: [...found.details.slice(0, most), `and ${found.details.length - most} more`] };
}

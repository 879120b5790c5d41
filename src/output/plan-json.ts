import { type Planned, planExitCode } from '../engine/plan/make-plan.ts';
import { safeJson } from './safe-text.ts';

/** One object on one line: the plan as `--out` saves it, what stands in its way, and the exit code that follows from that. */
export function planJson({ plan, problems }: Planned): string {
  return `${safeJson({ version: 1, plan, problems, exitCode: planExitCode(problems) })}\n`;
}

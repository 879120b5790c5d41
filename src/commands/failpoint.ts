import type { Environment } from './command.ts';

/**
 * For crash tests: `RUNBOOK_FAILPOINT=7` kills this process at the seventh point before or after a journal append,
 * `RUNBOOK_FAILPOINT=after:intended` at the first of that name.
 */
export function failpoint(environment: Pick<Environment, 'env' | 'die'>): (name: string) => void {
  const wanted = environment.env.RUNBOOK_FAILPOINT;
  if (wanted === undefined || wanted === '') return () => undefined;
  let count = 0;
  return (name) => {
    count++;
    if (wanted === name || wanted === String(count)) environment.die();
  };
}

import { readFileSync } from 'node:fs';
import type { SandboxScript } from '../sandbox/script.ts';
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

/** For chaos tests: what `RUNBOOK_SANDBOX_SCRIPT` names says how a simulated world is made and what strikes it when. */
export function sandboxScript(environment: Pick<Environment, 'env'>): SandboxScript | undefined {
  const file = environment.env.RUNBOOK_SANDBOX_SCRIPT;
  if (file === undefined || file === '') return undefined;
  return JSON.parse(readFileSync(file, 'utf8')) as SandboxScript;
}

import { writeFileSync } from 'node:fs';
import type { WorldOptions } from './build-world.ts';
import type { Strike } from './strikes.ts';

/**
 * How a world is made and disturbed, for tests that kill and hurt: a file of this shape is named by RUNBOOK_SANDBOX_SCRIPT.
 * `world` stands in the head of the world's file; a process that goes on in a world may leave it out. The strikes are those of
 * one process: each is written down when it strikes, so that a replay repeats it.
 */
export interface SandboxScript {
  readonly world?: WorldOptions;
  readonly strikes?: readonly {
    /** Calls to services, counted before they are answered and again after they changed something. */
    readonly after: number;
    readonly strike: Strike;
  }[];
  /** File that tells at the end how many calls there were, and which of them changed something. */
  readonly count?: string;
}

/** A call that changed something: which one it was, and what it did. */
export type CountedChange = readonly [call: number, what: string];

export interface FollowedScript {
  /** `changed`: what a call did; undefined: one is about to be answered. */
  count(changed?: string): void;
  close(): void;
}

export function followScript(script: SandboxScript, strikeNow: (strike: Strike) => void): FollowedScript {
  const strikes = [...(script.strikes ?? [])].sort((a, b) => a.after - b.after);
  const changes: CountedChange[] = [];
  let calls = 0;
  return {
    count: (changed) => {
      calls += 1;
      if (changed !== undefined) changes.push([calls, changed]);
      while (strikes[0] !== undefined && strikes[0].after <= calls) {
        const due = strikes.shift();
        if (due !== undefined) strikeNow(due.strike);
      }
    },
    close: () => {
      if (script.count !== undefined) writeFileSync(script.count, JSON.stringify({ calls, changes }));
    },
  };
}

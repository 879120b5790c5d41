import type { Outcome } from './event.ts';

/** One thing that may start now. `key` is unique among what is in flight; at most one action works on an instance. */
export type Action = { readonly key: string; readonly id: string } & (
  | { readonly type: 'evaluate'; readonly part: 'enter'; readonly parent: string; readonly element?: string }
  /** Everything inside a group, include or expansion came to its end. */
  | { readonly type: 'evaluate'; readonly part: 'close' }
  | { readonly type: 'capture' }
  | { readonly type: 'observe'; readonly phase: 'before' | 'after' | 'undo' }
  | { readonly type: 'perform' }
  | { readonly type: 'verify' }
  | { readonly type: 'sleep-until'; readonly until: number }
  | {
      readonly type: 'ask';
      readonly kind: 'confirm' | 'risk' | 'failure' | 'interrupt';
      readonly question: string;
      readonly choices: readonly string[];
    }
  | { readonly type: 'undo'; readonly part: 'begin' | 'type' | 'close' }
  | { readonly type: 'undo'; readonly part: 'skip' | 'fail'; readonly why: string; readonly code: string }
  | {
      readonly type: 'finish';
      readonly outcome: Outcome;
      readonly exitCode: number;
      readonly text: string;
    }
);

export type ActionOf<Type extends Action['type']> = Extract<Action, { type: Type }>;

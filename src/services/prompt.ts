import type { Secret } from '../engine/secret.ts';

/** Questions to the human at the terminal. Without a terminal every method answers 'no-terminal'. */
export interface Prompt {
  readonly interactive: boolean;
  confirm(question: string, signal: AbortSignal): Promise<boolean | 'no-terminal'>;
  choose(
    question: string,
    choices: readonly { readonly key: string; readonly label: string }[],
    signal: AbortSignal,
  ): Promise<string | 'no-terminal'>;
  /** Without echo, from the terminal itself. */
  secret(name: string, question: string, signal: AbortSignal): Promise<Secret | 'no-terminal'>;
  text(question: string, signal: AbortSignal): Promise<string | 'no-terminal'>;
}

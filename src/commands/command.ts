import type { ExitCode } from '../exit-code.ts';
import type { Streams } from '../output/renderer.ts';
import type { SendSignal } from '../services/process.ts';

export interface OptionSpec {
  /** As commander writes them: '--input <name=value>', '--yes', '-o, --output <how>'. */
  readonly flags: string;
  readonly description: string;
  readonly repeatable?: boolean;
  readonly choices?: readonly string[];
  readonly default?: string;
}

export interface ArgumentSpec {
  /** 'FILE', 'RUN', 'FILE…' (the ellipsis: one or more), '[TYPE]' (optional). */
  readonly name: string;
  readonly description: string;
}

/** What the process gives a command; `cli.ts` is its only maker. */
export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly osUser: string;
  readonly uid: number;
  readonly host: string;
  readonly pid: number;
  /** Folder that holds `runbooks/` and `schemas/` of this installation. */
  readonly packageRoot: string;
  readonly version: string;
  readonly streams: Streams;
  readonly stdoutIsTty: boolean;
  readonly stderrIsTty: boolean;
  readonly stdinIsTty: boolean;
  /** Text that must never leave is registered here before anything can print it. */
  readonly redact: { add(secret: import('../engine/secret.ts').Secret): void; text(text: string): string };
  /** Calls back for SIGINT, SIGTERM and SIGHUP until the returned function is called. */
  onSignal(handler: (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') => void): () => void;
  /** Signals a process, or a whole group by its leader's negative number; false when there is none. */
  readonly kill: SendSignal;
  /** Kills this very process at once, as a failpoint of crash tests. */
  die(): never;
  takeEnv(name: string): string | undefined;
}

export interface Options {
  readonly [name: string]: string | boolean | readonly string[] | undefined;
}

/** One verb of the command line. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** Below the options in `--help`: examples and what exit codes mean here. */
  readonly help?: string;
  run(args: readonly string[], options: Options, environment: Environment): Promise<ExitCode>;
}

/** An entry of the list: enough for the overview without loading the command. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

/** Wrong usage, found by a command itself: exit 2 with one line and a hint. */
export class UsageError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'UsageError';
    this.hint = hint;
  }
}

/** A failure that ends a command with a sentence, a next step and a code of the table. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;

  constructor(exitCode: ExitCode, message: string, hint?: string) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

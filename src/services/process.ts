export interface Command {
  /** An absolute path, or a name looked up in PATH. */
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to the allow-listed environment. Never a secret in argv. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: Uint8Array;
  /** Each line of stdout and stderr as it comes, for progress. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Bytes of each stream that are kept; 1 MiB unless told. */
  readonly outputLimit?: number;
}

export interface CommandResult {
  /** Undefined when a signal ended it: the outcome is unknown. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Capped: the first and the last part are kept. */
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: boolean;
}

/** Local programs, in a process group of their own; the signal ends the whole group (SIGTERM, then SIGKILL). */
export interface ProcessReader {
  /** For programs that the author declared to be reading. */
  read(command: Command, signal: AbortSignal): Promise<CommandResult>;
}

export interface ProcessRunner extends ProcessReader {
  /** `onStart` is called with what a later process needs to know whether it still lives, before anything else. */
  run(
    command: Command,
    signal: AbortSignal,
    onStart?: (child: ChildIdentity) => Promise<void>,
  ): Promise<CommandResult>;
}

/** As kill(2), without throwing: a negative pid is a group, signal 0 only asks; false when there is none. */
export type SendSignal = (pid: number, signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT' | 0) => boolean;

/** A pid alone is reused; a pid with its start time on a boot is not. */
export interface ChildIdentity {
  readonly pid: number;
  readonly startTime: number;
  readonly bootId: string;
}

/** A program that could not be started or awaited; never carries its arguments, environment or output. */
export class ProcessError extends Error {
  /** 'not-applied': it never started. */
  readonly outcome: 'not-applied' | 'unknown';

  constructor(message: string, options: { outcome: 'not-applied' | 'unknown'; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ProcessError';
    this.outcome = options.outcome;
  }
}

import type { Streams, TerminalStream } from './renderer.ts';

interface Sink {
  write(text: string): unknown;
  readonly destroyed: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly isTTY?: boolean;
}

/** stdout for data and stderr for everything else; each text passes the redactor on its way out. */
export function createStreams(options: {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly redact: (text: string) => string;
  readonly color: boolean;
}): Streams {
  const write = (sink: Sink, text: string) => {
    // A reader that went away (`| head -1`) never stops a run.
    if (!sink.destroyed) sink.write(options.redact(text));
  };
  const terminal: TerminalStream = {
    write(text) {
      write(options.stderr, text);
      return true;
    },
    get columns() {
      return options.stderr.columns ?? 80;
    },
    get rows() {
      return options.stderr.rows ?? 24;
    },
    isTTY: true,
  };
  return {
    terminal: options.stderr.isTTY === true ? terminal : undefined,
    data: (text) => write(options.stdout, text),
    info: (text) => write(options.stderr, text),
    get columns() {
      return options.stderr.columns ?? 100;
    },
    color: options.color,
  };
}

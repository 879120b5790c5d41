import type { Plan } from '../engine/plan/plan.ts';
import type { RunEvent } from '../engine/run/event.ts';

/** The part of a terminal's write stream that drawing needs. */
export interface TerminalStream {
  write(text: string): boolean;
  readonly columns: number;
  readonly rows: number;
  readonly isTTY: true;
}

/** Where a renderer writes. `data` is stdout, `info` is stderr; both pass the redactor and neutralise terminal escapes. */
export interface Streams {
  /** stderr as a stream for libraries that draw; undefined when it is no terminal. Passes the redactor. */
  readonly terminal: TerminalStream | undefined;
  data(text: string): void;
  info(text: string): void;
  readonly columns: number;
  readonly color: boolean;
}

/** Something that watches a run. It may throw: it is then switched off with a warning, and the run goes on. */
export interface Renderer {
  /** What an earlier process of the same run recorded: remembered, not shown again. */
  replay(events: readonly RunEvent[]): void;
  handle(event: RunEvent): void;
  /** Stands aside while a human is asked, and comes back. */
  pause(): Promise<void>;
  resume(): void;
  /** After the last event; resolves when everything is drawn. */
  end(): Promise<void>;
}

export type RendererFactory = (plan: Plan, streams: Streams) => Renderer;

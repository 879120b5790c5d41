import type { Line, Program } from './program.ts';

/** What a container does besides its program. */
export interface Live {
  /** Lines that it printed, oldest first. */
  readonly lines: Line[];
  /** It cannot become ready: it waits for something. */
  waiting: boolean;
  readonly listeners: Set<() => void>;
}

/** One start of a container. */
export interface ContainerRun {
  readonly program: Program;
  readonly startedAt: number;
  readonly id: string;
  /** The same through the whole life of the run. */
  readonly live: Live;
  readonly finished?: { readonly at: number; readonly code: number; readonly reason: string };
}

export interface ContainerRuntime {
  readonly name: string;
  readonly init: boolean;
  run: ContainerRun | undefined;
  previous: ContainerRun | undefined;
  waiting: { readonly reason: string; readonly message?: string } | undefined;
  restarts: number;
  ready: boolean;
}

/** What the kubelet knows of a pod and the API does not. */
export interface PodRuntime {
  readonly uid: string;
  readonly ip: string;
  readonly containers: readonly ContainerRuntime[];
  /** Path → content, made by commands in the pod. */
  readonly files: Map<string, string>;
  readonly boundAt: number;
  stopping: boolean;
}

/** A container prints a line. */
export function printLine(run: ContainerRun, at: number, text: string): void {
  run.live.lines.push({ at, text, stream: 'stdout' });
  for (const listener of [...run.live.listeners]) listener();
}

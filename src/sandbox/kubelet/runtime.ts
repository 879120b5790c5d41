import type { Program } from './program.ts';

/** One start of a container. */
export interface ContainerRun {
  readonly program: Program;
  readonly startedAt: number;
  readonly id: string;
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

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import type { Job, JudgeJob, ProgramAnswer, Verdict } from './jobs.ts';

const root = path.dirname(path.dirname(import.meta.dirname));

/** The worker and the program in it as one file. */
export async function buildWorker(): Promise<string> {
  // Below node_modules, so that it finds the packages that are left out of it.
  const folder = path.join(root, 'node_modules', '.cache', 'chaos');
  mkdirSync(folder, { recursive: true });
  const outfile = path.join(folder, `worker-${process.pid}.mjs`);
  await build({
    absWorkingDir: root,
    entryPoints: [path.join(root, 'test', 'chaos', 'worker.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    define: { RUNBOOK_VERSION: '"0.0.0-chaos"' },
    logLevel: 'error',
  });
  return outfile;
}

/** One thread in which programs run one after the other; one that is killed in there takes the thread with it. */
export interface Lane {
  /** Undefined: it was killed. */
  program(job: Omit<Extract<Job, { do: 'program' }>, 'do'>): Promise<ProgramAnswer | undefined>;
  judge(job: Omit<JudgeJob, 'do'>): Promise<Verdict>;
  close(): Promise<void>;
}

export function openLane(file: string): Lane {
  const start = () => new Worker(file, { workerData: { packageRoot: root }, env: {}, stderr: false });
  let worker = start();
  const ask = (job: Job): Promise<unknown> => {
    const asked = worker;
    return new Promise((resolve, reject) => {
      const leave = () => {
        asked.off('message', onMessage);
        asked.off('error', onError);
        asked.off('exit', onExit);
      };
      const onMessage = (message: { readonly answer?: unknown; readonly failure?: string }) => {
        leave();
        if (message.failure === undefined) resolve(message.answer);
        else reject(new Error(message.failure));
      };
      const onError = (error: unknown) => {
        leave();
        worker = start();
        reject(error);
      };
      const onExit = (code: number) => {
        leave();
        worker = start();
        if (code === 137) resolve(undefined);
        else reject(new Error(`the worker ended with ${code}`));
      };
      asked.on('message', onMessage);
      asked.on('error', onError);
      asked.on('exit', onExit);
      asked.postMessage(job);
    });
  };
  return {
    program: (job) => ask({ do: 'program', ...job }) as Promise<ProgramAnswer | undefined>,
    judge: async (job) => {
      const verdict = (await ask({ do: 'judge', ...job })) as Verdict | undefined;
      if (verdict === undefined) throw new Error('the judge was killed');
      return verdict;
    },
    close: async () => void (await worker.terminate()),
  };
}

import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import type { Job, JudgeJob, ProgramAnswer, Verdict } from './jobs.ts';

const root = path.dirname(path.dirname(import.meta.dirname));

/** Builds the worker as the program is built, so that it starts as fast, into a folder; gives its file. */
export async function buildWorker(folder: string): Promise<string> {
  await build({
    absWorkingDir: root,
    entryPoints: [path.join(root, 'test', 'chaos', 'worker.ts')],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    minify: true,
    keepNames: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // Bundled CommonJS packages call require() for Node's own modules.
    banner: {
      js: "import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);",
    },
    define: { RUNBOOK_VERSION: '"0.0.0-chaos"' },
    logLevel: 'error',
  });
  return path.join(folder, 'worker.mjs');
}

/** One thread in which programs run one after the other; one that is killed in there takes the thread with it. */
export interface Lane {
  /** Undefined: it was killed. */
  program(job: Omit<Extract<Job, { do: 'program' }>, 'do'>): Promise<ProgramAnswer | undefined>;
  judge(job: Omit<JudgeJob, 'do'>): Promise<Verdict>;
  wait(job: Omit<Extract<Job, { do: 'wait' }>, 'do'>): Promise<void>;
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
    wait: async (job) => void (await ask({ do: 'wait', ...job })),
    close: async () => void (await worker.terminate()),
  };
}

import { parentPort, workerData } from 'node:worker_threads';
import type { Environment } from '../../src/commands/command.ts';
import { runCommandLine } from '../../src/commands/command-line.ts';
import { createRedactor } from '../../src/engine/redactor.ts';
import { createStreams } from '../../src/output/streams.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import type { Job, JobAnswer } from './jobs.ts';
import { judge } from './judge.ts';

/** Pids that no system gives out: the process of a program that was killed here is dead for everybody who looks. */
let pid = 100_000_000 + Math.trunc(Math.random() * 100_000_000);

const { packageRoot } = workerData as { readonly packageRoot: string };

async function program(job: Extract<Job, { do: 'program' }>): Promise<JobAnswer> {
  const redactor = createRedactor();
  const text = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({
    destroyed: false,
    write: (piece: string) => {
      text[name] += piece;
    },
  });
  const env = { ...job.env };
  const environment: Environment = {
    env,
    cwd: job.folder,
    home: job.folder,
    osUser: 'chaos',
    uid: process.geteuid?.() ?? -1,
    host: 'chaos',
    pid: pid++,
    packageRoot,
    version: '0.0.0-chaos',
    streams: createStreams({
      stdout: sink('stdout'),
      stderr: sink('stderr'),
      redact: (raw) => redactor.text(raw),
      color: false,
    }),
    stdoutIsTty: false,
    stderrIsTty: false,
    stdinIsTty: false,
    redact: redactor,
    onSignal: () => () => undefined,
    kill: () => false,
    // Ends this thread before its next instruction, whatever it was doing.
    die: () => process.exit(137),
    takeEnv: (name) => env[name],
  };
  const code = await runCommandLine(job.args, environment);
  return { code, ...text };
}

async function wait({ runFolder, seed, ms }: Extract<Job, { do: 'wait' }>): Promise<undefined> {
  const sandbox = openSandbox({ dir: runFolder, seed });
  await sandbox.services.clock.sleep(ms, new AbortController().signal);
  sandbox.close();
}

function work(job: Job): Promise<JobAnswer> {
  if (job.do === 'program') return program(job);
  return job.do === 'judge' ? judge(job) : wait(job);
}

parentPort?.on('message', (job: Job) => {
  work(job).then(
    (answer) => parentPort?.postMessage({ answer }),
    (failure: unknown) =>
      parentPort?.postMessage({ failure: failure instanceof Error ? failure.stack : String(failure) }),
  );
});

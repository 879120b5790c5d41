import { parentPort, workerData } from 'node:worker_threads';
import type { Environment } from '../../src/commands/command.ts';
import { runCommandLine } from '../../src/commands/command-line.ts';
import { createRedactor } from '../../src/engine/redactor.ts';
import { createStreams } from '../../src/output/streams.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import type { Job, JobAnswer, WaitJob } from './jobs.ts';
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
  const own = pid++;
  const handlers = new Set<Parameters<Environment['onSignal']>[0]>();
  const environment: Environment = {
    env,
    cwd: job.folder,
    home: job.folder,
    osUser: 'chaos',
    uid: process.geteuid?.() ?? -1,
    host: 'chaos',
    pid: own,
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
    onSignal: (handler) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    // As a real one, it is heard of between two turns of the event loop.
    kill: (whom, signal) => {
      if (whom === own)
        setImmediate(() => {
          for (const handler of [...handlers]) handler(signal as 'SIGINT');
        });
      return whom === own;
    },
    // Ends this thread before its next instruction, whatever it was doing.
    die: () => process.exit(137),
    takeEnv: (name) => env[name],
  };
  const code = await runCommandLine(job.args, environment);
  return { code, ...text };
}

async function wait({ runFolder, seed, ms, mend }: WaitJob): Promise<undefined> {
  const strikes = mend ? [{ after: 1, strike: { what: 'mend' } as const }] : [];
  const sandbox = openSandbox({ dir: runFolder, seed, script: { strikes } });
  await sandbox.services.kubernetes.list(kinds.pods, { namespace: 'ess' });
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

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { liveText } from '../output/rehearsal-live-text.ts';
import { rehearsalJson, rehearsalText, rowText } from '../output/rehearsal-text.ts';
import type { LiveReport } from '../rehearsal/live/report.ts';
import { isSound, type RehearsalRow } from '../rehearsal/rehearsal.ts';
import { CannotRehearseError, rehearse as rehearseStage } from '../rehearsal/rehearse.ts';
import { type Command, CommandError, type Environment, type Options } from './command.ts';
import { servicesOption } from './inventory-file.ts';
import { inputOptions } from './plan.ts';
import { stageOf } from './rehearsal-stage.ts';
import { stateOption } from './run-store.ts';
import { clusterOptions, sandboxOptions, textOption } from './world.ts';

/** At a terminal one line that changes; elsewhere a line for each rehearsal. */
function progress({ streams }: Environment) {
  const { terminal } = streams;
  return {
    row: (row: RehearsalRow, { done, of }: { readonly done: number; readonly of: number }) => {
      const text = `${String(done).padStart(String(of).length)} of ${of}  ${rowText(row)}`;
      if (terminal === undefined) streams.info(`${text}\n`);
      else terminal.write(`\r\u001b[K${text.slice(0, Math.max(20, terminal.columns - 1))}`);
    },
    end: () => void terminal?.write('\r\u001b[K'),
  };
}

async function run(name: string, options: Options, environment: Environment): Promise<ExitCode> {
  const folder = mkdtempSync(path.join(tmpdir(), 'runbook-rehearsal-'));
  const stop = new AbortController();
  const shown = progress(environment);
  let unsubscribe: () => void = () => undefined;
  let live: LiveReport | undefined;
  try {
    const stage = await stageOf(name, options, environment, folder);
    live = stage.live;
    unsubscribe = environment.onSignal(() => stop.abort());
    const rehearsal = await rehearseStage(stage, { signal: stop.signal, onRow: shown.row });
    shown.end();
    const { streams } = environment;
    streams.data(
      textOption(options, 'output') === 'json'
        ? rehearsalJson(rehearsal)
        : rehearsalText(rehearsal, {
            columns: environment.stdoutIsTty ? streams.columns : 120,
            color: streams.color && environment.stdoutIsTty,
          }),
    );
    if (rehearsal.interrupted) return exitCodes.interrupted;
    return isSound(rehearsal) ? exitCodes.done : exitCodes.failed;
  } catch (error) {
    shown.end();
    if (!(error instanceof CannotRehearseError)) throw error;
    // Why it does not may lie in what is otherwise here than in the cluster.
    if (live !== undefined) environment.streams.info(`${liveText(live, 120)}\n`);
    throw new CommandError(
      exitCodes.preconditionFailed,
      `${name} does not come to its end on the sandbox even when nothing disturbs it, so there is nothing to rehearse: ${error.message}`,
      live === undefined
        ? 'give other inputs with --input, or begin with --world in a world in which it has something to do'
        : `give other inputs with --input; 'runbook plan ${name}' asks the cluster itself, and without --from-cluster the sandbox begins as the charts install it`,
    );
  } finally {
    unsubscribe();
    rmSync(folder, { recursive: true, force: true });
  }
}

export const rehearse: Command = {
  name: 'rehearse',
  summary:
    'on the sandbox, let each changing step fail in every way, roll back, and compare with the state before',
  arguments: [{ name: 'FILE', description: 'a runbook, by file or by name' }],
  options: [
    ...inputOptions,
    {
      flags: '--output <how>',
      description: 'how the result is shown',
      choices: ['human', 'json'],
      default: 'human',
    },
    {
      flags: '--from-cluster',
      description: 'begin with the objects of a cluster, which is read and not changed; no Secret is read',
    },
    ...clusterOptions.filter(({ flags }) => /^--(context|kubeconfig)/.test(flags)),
    ...sandboxOptions.filter(({ flags }) => /^--(sandbox|seed|world)/.test(flags)),
    servicesOption,
    stateOption,
  ],
  help: `Each changing step, those of included runbooks and each element of a forEach too, fails once by an error, by a timeout, by a crash
before and after its effect, and by an answer that is lost. Each time the run is rolled back to the end, and every field of the simulated
control plane is compared with what it was. No cluster is touched; inputs that are missing come from the sandbox.

With --from-cluster the sandbox begins with the workloads, their revisions, ConfigMaps, Services, ServiceAccounts, Jobs, disruption budgets,
autoscalers, namespaces and nodes of your cluster. That is read once and never changed. Secrets are not read at all, and values that look
secret are replaced before anything is written. What OpenBao, Cassandra, NATS and Helm hold stays simulated; the result says what is what.

Exit code 0: everything that is not declared irreversible is brought back. 1: something is not; the step is named. 4: the runbook does not
come to its end on the sandbox even undisturbed, or the cluster cannot be read.

Examples:
  runbook rehearse scale-service --input service=nvcf-api --input replicas=3
  runbook rehearse mek-rotation --output json
  runbook rehearse restart-service --input service=nvcf-api --from-cluster --context prod
`,
  run: ([file = ''], options, environment) => run(file, options, environment),
};

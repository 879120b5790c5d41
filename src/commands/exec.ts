import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parsePlan } from '../engine/plan/artefact.ts';
import { planDrift, sayDrift } from '../engine/plan/drift.ts';
import { type Planned, planExitCode } from '../engine/plan/make-plan.ts';
import type { Plan } from '../engine/plan/plan.ts';
import { JournalError } from '../engine/run/run-error.ts';
import { type OpenRun, openRun } from '../engine/run/session.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { planCounts, planText } from '../output/plan-text.ts';
import { safeLine } from '../output/safe-text.ts';
import { isAlive } from '../services/process-identity.ts';
import { type Command, CommandError, type Environment, type Options, UsageError } from './command.ts';
import { failpoint } from './failpoint.ts';
import { history } from './history.ts';
import { gatherSecrets } from './inputs.ts';
import { loadInventory, servicesOption } from './inventory-file.ts';
import { locateRunbook } from './locate.ts';
import { inputOptions, showPlan } from './plan.ts';
import { prepare } from './prepare.ts';
import { newRunId } from './run-id.ts';
import { driveRun, runOptions } from './run-session.ts';
import { runsFolder, sessionOf, stateOption } from './run-store.ts';
import { readRunbookFile } from './runbook-file.ts';
import {
  type CommandWorld,
  clusterOptions,
  isInteractive,
  openWorld,
  sandboxOptions,
  textOption,
} from './world.ts';

/** Milliseconds since the epoch of '2026-11-22T06:00:00Z'. */
export function windowEnd(options: Options): number | undefined {
  const text = textOption(options, 'windowEnd');
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text) || Number.isNaN(time))
    throw new UsageError(`--window-end ${text} is no time`, 'ISO 8601 with a zone: 2026-11-22T06:00:00Z');
  return time;
}

interface Ready {
  readonly plan: Plan;
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly inventory: Awaited<ReturnType<typeof loadInventory>>;
  /** Where it was planned; a sandbox is opened anew in the run's folder. */
  readonly world: CommandWorld;
  readonly pinned: boolean;
}

/** A runbook is planned now; what speaks against the run ends it here, before a run exists. */
async function fromRunbook(
  name: string,
  options: Options,
  environment: Environment,
): Promise<Ready | ExitCode> {
  const { planned, runbook, inventory, world } = await prepare(name, options, environment, {
    dir: undefined,
    begins: true,
    history: (runbook) => history(runbook, options, environment),
  });
  const standing = { ...planned, problems: planned.problems.filter(({ waits }) => waits !== true) };
  const code = planExitCode(standing.problems);
  if (code !== exitCodes.done) {
    world.close();
    explain(standing, environment);
    return code;
  }
  if (textOption(options, 'output') !== 'json')
    environment.streams.info(
      `${safeLine(planned.plan.runbook.title)}: ${planCounts(planned.plan, standing.problems)}\n`,
    );
  return { plan: planned.plan, files: runbook.files, inventory, world, pinned: false };
}

function explain(planned: Planned, environment: Environment): void {
  environment.streams.info(
    planText(planned, { columns: environment.streams.columns, color: environment.streams.color }),
  );
  environment.streams.info('nothing was changed, and no run was begun\n');
}

/** A saved plan runs as it was reviewed, or not at all. */
async function fromPlan(
  file: string,
  text: string,
  options: Options,
  environment: Environment,
): Promise<Ready> {
  const parsed = parsePlan(text);
  if (!parsed.ok) throw new CommandError(exitCodes.invalid, `${file}: ${parsed.message}`, parsed.hint);
  const { plan } = parsed;
  if (Array.isArray(options.input) || options.inputsFile !== undefined)
    throw new UsageError(
      'a saved plan has its inputs already',
      'leave --input and --inputs-file out, or plan again with them',
    );
  const inventory = await loadInventory(options, environment);
  const source = await locateRunbook(plan.runbook.path, environment).catch(() => undefined);
  const read = source === undefined ? undefined : await readRunbookFile(source, environment, inventory);
  if (read === undefined || !read.ok)
    throw new CommandError(
      exitCodes.stale,
      `the runbook of this plan, ${plan.runbook.path}, ${read === undefined ? 'is not there any more' : 'is not valid any more'}`,
      'plan again',
    );
  const world = await openWorld(
    {
      options,
      inventory,
      sandbox: plan.sandbox === undefined ? undefined : { ...plan.sandbox, dir: undefined },
    },
    environment,
  );
  const cluster =
    plan.cluster === undefined || plan.sandbox !== undefined
      ? plan.cluster
      : await world.services.kubernetes.identity().catch((error: Error) => {
          throw new CommandError(exitCodes.preconditionFailed, error.message);
        });
  const drift = planDrift(plan, { runbook: read.value, tool: environment.version, cluster });
  if (drift.length > 0) {
    world.close();
    throw new CommandError(
      exitCodes.stale,
      `the plan is stale:\n${drift.map((each) => `  ${sayDrift(each)}`).join('\n')}`,
      'plan again and have it reviewed again; nothing was changed',
    );
  }
  return { plan, files: read.value.files, inventory, world, pinned: true };
}

function savedPlan(
  name: string,
  environment: Environment,
): { readonly file: string; readonly text: string } | undefined {
  if (!name.endsWith('.json')) return undefined;
  const file = path.resolve(environment.cwd, name);
  try {
    return { file: name, text: readFileSync(file, 'utf8') };
  } catch (error) {
    throw new UsageError(
      `cannot read the plan ${name}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
    );
  }
}

/** A run that cannot be kept is not begun: without a journal nobody could resume it or roll it back. */
function begin(runs: string, request: Parameters<typeof openRun>[0]): OpenRun {
  try {
    return openRun(request);
  } catch (error) {
    if (!(error instanceof Error) || (!('code' in error) && !(error instanceof JournalError))) throw error;
    throw new CommandError(
      exitCodes.journal,
      `the run cannot be kept in ${runs}: ${error.message}; nothing was changed`,
      'free space there or mend the folder, or name another one with --state-dir',
    );
  }
}

async function run(name: string, options: Options, environment: Environment): Promise<ExitCode> {
  const end = windowEnd(options);
  const saved = savedPlan(name, environment);
  const ready =
    saved === undefined
      ? await fromRunbook(name, options, environment)
      : await fromPlan(saved.file, saved.text, options, environment);
  if (typeof ready === 'number') return ready;
  const { plan, inventory } = ready;
  const user =
    plan.cluster === undefined
      ? undefined
      : await ready.world.services.kubernetes.whoAmI().catch(() => undefined);
  const session = sessionOf(environment, user);
  const runs = runsFolder(options, environment);
  // Looking at a simulated world may have let time pass in it; the run begins with it as it was.
  const now =
    plan.sandbox?.from === undefined ? ready.world.services.clock.now() : Date.parse(plan.createdAt);
  const { id, startedAt } = newRunId({ runs, sandbox: plan.sandbox, now });
  let world = ready.world;
  // The simulated world of a run lives in the run's folder, which exists only once the run is opened.
  const clock = {
    now: () => (plan.sandbox !== undefined && world === ready.world ? startedAt : world.services.clock.now()),
  };
  const open: OpenRun = begin(runs, {
    runs,
    id,
    session,
    time: () => new Date(clock.now()).toISOString(),
    isAlive,
    failpoint: failpoint(environment),
    plan,
    files: ready.files,
    opening: {
      assumeYes: options.yes === true,
      interactive: isInteractive(environment),
      sandbox: plan.sandbox !== undefined,
      ...(ready.pinned ? { pinned: true as const } : {}),
      ...(plan.sandbox === undefined ? {} : { hold: Number.MAX_SAFE_INTEGER }),
      ...(typeof options.reason === 'string' ? { reason: options.reason } : {}),
      ...(typeof options.change === 'string' ? { change: options.change } : {}),
      ...(end === undefined ? {} : { windowEnd: end }),
    },
  });
  if (plan.sandbox !== undefined) {
    ready.world.close();
    world = await openWorld(
      {
        options,
        inventory,
        sandbox: { ...plan.sandbox, dir: open.folder },
      },
      environment,
    );
  }
  const secrets = await gatherSecrets(
    plan.inputs,
    plan.inputSpecs,
    { world, signal: new AbortController().signal },
    environment,
  );
  return driveRun({ open, world, session, secrets }, options, environment);
}

export const exec: Command = {
  name: 'exec',
  summary: 'run a runbook, or exactly a saved plan',
  arguments: [
    { name: 'FILE', description: 'a runbook by file or by name, or a plan that runbook plan --out wrote' },
  ],
  options: [
    ...inputOptions,
    { flags: '--dry-run', description: 'the same as runbook plan' },
    ...runOptions,
    {
      flags: '--change <id>',
      description: 'number of the change or ticket; recorded in the journal and the report',
    },
    servicesOption,
    ...clusterOptions,
    ...sandboxOptions,
    stateOption,
  ],
  help: `Ctrl-C once: the current operation finishes and nothing new starts. Twice: the running operation is asked to stop.
Three times: leave at once; what was going on is recorded as unknown. 'runbook resume' and 'runbook rollback' go on from there.

Examples:
  runbook exec restart-service --input service=nvcf-api --sandbox --yes
  runbook exec plan.json --reason 'monthly restart' --change CHG-1042
`,
  run: ([file = ''], options, environment) =>
    options.dryRun === true ? showPlan(file, options, environment) : run(file, options, environment),
};

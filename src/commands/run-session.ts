import { latest } from '../engine/once.ts';
import type { Plan } from '../engine/plan/plan.ts';
import { drive } from '../engine/run/drive.ts';
import type { RunEvent, Session } from '../engine/run/event.ts';
import { createKeepsakes } from '../engine/run/keepsake.ts';
import { createLeaseLock } from '../engine/run/lease-lock.ts';
import { noLock } from '../engine/run/lock.ts';
import type { OpenRun } from '../engine/run/session.ts';
import type { Secret } from '../engine/secret.ts';
import type { Value } from '../engine/value.ts';
import type { ExitCode } from '../exit-code.ts';
import { paint } from '../output/colors.ts';
import { EventNarrator, type EventText } from '../output/event-text.ts';
import { chooseRenderer, renderers } from '../output/index.ts';
import { outputsText } from '../output/outputs-text.ts';
import { formatLine } from '../output/plain.ts';
import type { Renderer } from '../output/renderer.ts';
import { safeBlock } from '../output/safe-text.ts';
import type { Prompt } from '../services/prompt.ts';
import type { Environment, OptionSpec, Options } from './command.ts';
import { createNotifier } from './notify.ts';
import { loadSteps } from './step-types.ts';
import { type CommandWorld, textOption } from './world.ts';

export const runOptions: readonly OptionSpec[] = [
  {
    flags: '--yes',
    description: 'answer yes to confirm and risk questions, and record it; never answers an approval',
  },
  { flags: '--reason <text>', description: 'why; recorded in the journal and the report' },
  {
    flags: '--window-end <time>',
    description: 'no change starts that could not also be rolled back by then (ISO 8601 with a zone)',
  },
  { flags: '--output <how>', description: 'how the run is shown', choices: Object.keys(renderers) },
  {
    flags: '--notify <program>',
    description: 'run at every wait, failure and end, with the event as JSON on its standard input',
  },
];

/** Asking a human and drawing take turns on one terminal. */
function takingTurns(prompt: Prompt, renderer: Renderer): Prompt {
  const alone = async <T>(ask: () => Promise<T>): Promise<T> => {
    await renderer.pause();
    try {
      return await ask();
    } finally {
      renderer.resume();
    }
  };
  return {
    interactive: prompt.interactive,
    confirm: (question, signal) => alone(() => prompt.confirm(safeBlock(question), signal)),
    choose: (question, choices, signal) => alone(() => prompt.choose(safeBlock(question), choices, signal)),
    secret: (name, question, signal) => alone(() => prompt.secret(name, safeBlock(question), signal)),
    text: (question, signal) => alone(() => prompt.text(safeBlock(question), signal)),
  };
}

/** Every string inside passes the redactor: renderers and programs that are notified see what the terminal may see. */
function redacted<T>(value: T, redact: (text: string) => string): T {
  if (typeof value === 'string') return redact(value) as T;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => redacted(item, redact)) as T;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redacted(item, redact)])) as T;
}

export interface Drivable {
  readonly open: OpenRun;
  readonly world: CommandWorld;
  readonly session: Session;
  readonly secrets: Readonly<Record<string, Secret>>;
  readonly adopt?: boolean;
}

/** The values of a run's inputs: those of the plan, and its secrets. */
export function inputsOf(
  plan: Plan,
  secrets: Readonly<Record<string, Secret>>,
): Readonly<Record<string, Value>> {
  const plain = Object.entries(plan.inputs).flatMap(([name, input]) =>
    input.type === 'secret' ? [] : [[name, input.value as Value] as const],
  );
  return { ...Object.fromEntries(plain), ...secrets };
}

/** The same for exec, resume and rollback: draw, drive, print outputs, tell how to go on. */
export async function driveRun(
  { open, world, session, secrets, adopt }: Drivable,
  options: Options,
  environment: Environment,
): Promise<ExitCode> {
  const { plan, journal, state } = open;
  const how = chooseRenderer(textOption(options, 'output'), {
    terminal: environment.streams.terminal !== undefined,
    env: environment.env,
  });
  const load = renderers[how] ?? renderers.plain;
  if (load === undefined) throw new Error('no renderer');
  const [create, { steps, schemas }] = await Promise.all([load(), loadSteps(plan)]);
  const renderer = create(plan, environment.streams);
  const { clock } = world.services;
  const notifier = createNotifier(textOption(options, 'notify'), {
    run: open.id,
    plan,
    env: environment.env,
    kill: environment.kill,
    warn: (text) => environment.streams.info(text),
  });
  const clean = latest((event: RunEvent) => redacted(event, environment.redact.text));
  const told = (tell: (event: RunEvent) => void) => (event: RunEvent) => {
    // The engine's own bookkeeping, several times a step.
    if (event.type !== 'action-started' && event.type !== 'action-ended') tell(clean(event));
  };
  const show = told((event) => renderer.handle(event));
  const { sandbox } = world;
  const lock =
    plan.locks.length === 0
      ? noLock
      : createLeaseLock({
          kubernetes: world.services.kubernetes,
          clock,
          namespace: plan.lockNamespace,
          locks: plan.locks,
          run: open.id,
          actor: session.actor,
          adopt: adopt ?? false,
          notify: (text) => environment.streams.info(`${safeBlock(text)}\n`),
        });
  const keepsakes = createKeepsakes(open.folder);
  const narrator = new EventNarrator();
  renderer.replay(open.earlier);
  for (const event of [...open.earlier, ...open.begun]) narrator.narrate(event);
  for (const event of open.begun) show(event);
  let ending: { readonly time: string; readonly text: EventText } | undefined;
  const narrate = told((event) => {
    const text = narrator.narrate(event);
    if (event.type === 'run-finished' && text !== undefined) ending = { time: event.time, text };
  });
  try {
    const result = await drive({
      plan,
      steps,
      schemas,
      services: world.services,
      ...(sandbox === undefined
        ? {}
        : {
            servicesFor: (instance: string) => sandbox.servicesFor(instance),
            faults: sandbox.faults,
            crash: environment.die,
          }),
      readServices: world.readServices,
      prompt: takingTurns(world.prompt, renderer),
      clock,
      lock,
      actor: session.actor,
      inputs: inputsOf(plan, secrets),
      state,
      journal,
      redact: environment.redact.text,
      protect: (secret) => environment.redact.add(secret),
      keepsakes,
      observers: [show, narrate, told((event) => notifier.handle(event))],
      onSignal: (handler) => environment.onSignal(handler),
    });
    await renderer.end();
    await notifier.end();
    const finished = result.state.finished;
    if (finished !== undefined && how !== 'json') {
      if (how === 'live' && ending !== undefined)
        environment.streams.info(formatLine(ending.time, ending.text, paint(environment.streams.color)));
      if (Object.keys(finished.outputs).length > 0) environment.streams.data(outputsText(finished.outputs));
    }
    if (finished === undefined && result.problem !== undefined)
      environment.streams.info(
        `error: ${safeBlock(result.problem instanceof Error ? result.problem.message : String(result.problem))}\nhint: runbook resume ${open.id}\n`,
      );
    return result.exitCode as ExitCode;
  } finally {
    await renderer.end();
    keepsakes.close();
    open.close();
    world.close();
  }
}

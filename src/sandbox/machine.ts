import type { JsonObject } from '../engine/json.ts';
import { buildWorld, type WorldOptions } from './build-world.ts';
import { hasPendingRequests } from './busy.ts';
import { VirtualClock } from './clock.ts';
import { type Command, commandOf, type Outcome, recordOf, run } from './commands.ts';
import { createFaultPlan, type Fault, type FaultPlan } from './faults.ts';
import { followScript, type SandboxScript } from './script.ts';
import type { World } from './world.ts';
import { memoryWorldFile, openWorldFile, SandboxError } from './world-file.ts';
import { createSealer, type Sealer } from './world-seal.ts';

/** The world with its clock and its file. */
export interface Machine {
  readonly world: World;
  readonly clock: VirtualClock;
  readonly faults: FaultPlan;
  /** Writes a command down, then does it. */
  perform(command: Command): Outcome;
  /** A service of this world is about to answer a call. */
  called(): void;
  close(): void;
}

export interface MachineOptions {
  /** The run's folder; undefined keeps the world in memory. */
  readonly folder: string | undefined;
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly world: WorldOptions;
  readonly script?: SandboxScript;
  /** Ends this process at once. */
  readonly die?: () => never;
  readonly isBusy?: () => boolean;
  readonly beforeJump?: (ms: number) => Promise<void>;
}

/** Of the simulation: a world written by another one would be replayed differently. */
const FORMAT = 2;

function header(options: MachineOptions): JsonObject {
  return { sandbox: FORMAT, seed: options.seed, options: { ...options.world } as JsonObject };
}

function checkHeader(found: JsonObject, options: MachineOptions): void {
  const wanted = header(options);
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  throw new SandboxError(
    `The sandbox's world in ${options.folder ?? 'memory'} was begun with ${JSON.stringify(found)}, not with ${JSON.stringify(wanted)}.`,
    'Resume with the version and the seed that started the run, or start a new one.',
  );
}

function replay(world: World, records: readonly JsonObject[], sealer: Sealer): readonly number[] {
  const taken: number[] = [];
  for (const record of records) {
    const { t, fault } = record;
    if (typeof t === 'number') world.timeline.advance(t);
    if (typeof fault === 'number') taken.push(fault);
    const command = commandOf(record, sealer);
    if (command !== undefined) run(world, command);
  }
  return taken;
}

function nameOf(command: Command): string {
  if (command.do === 'bao') return `${command.do} ${command.request.path}`;
  return command.do === 'call' ? `${command.call.method} ${command.call.path}` : command.do;
}

/** Builds the world of a seed, or brings back the one that a run's folder holds. */
export function startMachine(options: MachineOptions): Machine {
  const from = options.script?.from;
  const { file, records } =
    options.folder === undefined ? memoryWorldFile(from) : openWorldFile(options.folder, from);
  const [first, ...rest] = records;
  if (first !== undefined) checkHeader(first, options);
  const world = buildWorld(options.seed, options.world);
  if (first === undefined) file.append(header(options));
  const sealer = createSealer(options.folder ?? from);
  const taken = replay(world, rest, sealer);
  const clock = new VirtualClock({
    timeline: world.timeline,
    epoch: world.epoch,
    record: (now) => file.append({ t: now }),
    isBusy: options.isBusy ?? hasPendingRequests,
    ...(options.beforeJump === undefined ? {} : { beforeJump: options.beforeJump }),
  });
  const faults = createFaultPlan(options.faults, {
    taken,
    record: (index) => file.append({ t: world.timeline.now, fault: index }),
  });
  const perform = (command: Command): Outcome => {
    clock.touch();
    file.append(recordOf(clock.now(), command, sealer));
    return run(world, command);
  };
  const script = followScript(options.script ?? {}, (strike) => {
    perform({ do: 'strike', strike });
    if (strike.what === 'die') options.die?.();
  });
  return {
    world,
    clock,
    faults,
    perform: (command) => {
      const outcome = perform(command);
      script.count(nameOf(command));
      return outcome;
    },
    called: () => script.count(),
    close: () => {
      script.close();
      file.close();
    },
  };
}

import type { JsonObject } from '../engine/json.ts';
import { buildWorld, type WorldOptions } from './build-world.ts';
import { hasPendingRequests } from './busy.ts';
import { VirtualClock } from './clock.ts';
import { type Command, commandOf, type Outcome, recordOf, run } from './commands.ts';
import { createFaultPlan, type Fault, type FaultPlan } from './faults.ts';
import { followScript, type SandboxScript } from './script.ts';
import type { World } from './world.ts';
import { copyWorld, hasWorld, memoryWorldFile, openWorldFile, SandboxError } from './world-file.ts';
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
  /** A folder with the world that this one begins as, unless it has begun already. */
  readonly from: string | undefined;
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** Undefined: as the world is, or the usual one. */
  readonly world: WorldOptions | undefined;
  readonly script?: SandboxScript;
  /** Ends this process at once. */
  readonly die?: () => never;
  /** This process gets a SIGINT. */
  readonly interrupt?: () => void;
  readonly isBusy?: () => boolean;
  readonly beforeJump?: (ms: number) => Promise<void>;
}

/** Of the simulation: a world written by another one would be replayed differently. */
const FORMAT = 2;

const usual: WorldOptions = { nvcaOperator: true };

function header({ seed, world = usual }: MachineOptions): JsonObject {
  return { sandbox: FORMAT, seed, options: { ...world } as JsonObject };
}

/** Without the objects of another cluster: those fill pages. */
function shown(header: object): string {
  return JSON.stringify(header, (key, value: unknown) => (key === 'live' ? 'objects of a cluster' : value));
}

/** What the world was begun with. */
function checkHeader(found: JsonObject, options: MachineOptions): WorldOptions {
  const { options: begun, ...rest } = found;
  const { options: wanting, ...others } = header(options);
  const wanted = { ...others, options: options.world === undefined ? begun : wanting };
  if (JSON.stringify({ ...rest, options: begun }) === JSON.stringify(wanted)) return begun as WorldOptions;
  throw new SandboxError(
    `The sandbox's world in ${options.folder ?? options.from ?? 'memory'} was begun with ${shown(found)}, not with ${shown(wanted)}.`,
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
  const { folder, from } = options;
  if (from !== undefined && !hasWorld(from) && (folder === undefined || !hasWorld(folder)))
    throw new SandboxError(
      `There is no world of the sandbox in ${from}.`,
      'Name the folder of a simulated run.',
    );
  if (folder !== undefined && from !== undefined && !hasWorld(folder)) copyWorld(from, folder);
  const { file, records } = folder === undefined ? memoryWorldFile(from) : openWorldFile(folder);
  const [first, ...rest] = records;
  const begun = first === undefined ? (options.world ?? usual) : checkHeader(first, options);
  const world = buildWorld(options.seed, begun);
  if (first === undefined) file.append(header(options));
  const sealer = createSealer(folder);
  const taken = replay(world, rest, folder === undefined ? createSealer(from) : sealer);
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
    if (strike.what === 'interrupt') for (let times = 0; times < strike.times; times++) options.interrupt?.();
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

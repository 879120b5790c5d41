import type { JsonObject } from '../engine/json.ts';
import { kinds } from '../services/kubernetes.ts';
import { ApiFailure } from './api-error.ts';
import { noticeDocument } from './consumers/life.ts';
import { type ExecCall, type ExecOutcome, execute } from './exec.ts';
import { find, killContainer } from './kubelet/containers.ts';
import type { Pod } from './objects.ts';
import type { BaoCall } from './openbao/call.ts';
import { seal, unseal } from './openbao/cluster.ts';
import { changeBao } from './openbao/engine.ts';
import { handle, type ServerCall } from './server.ts';
import { performStore, type StoreCommand } from './store-commands.ts';
import type { Denial, Trouble, World } from './world.ts';
import type { Sealer } from './world-seal.ts';

/**
 * Everything that moves the world besides time. Plain data: it is written down before it is done, and done again by a replay.
 * A member called `sealed` may hold secrets: it is written down encrypted.
 */
export type Command =
  | { readonly do: 'call'; readonly call: ServerCall }
  | { readonly do: 'exec'; readonly exec: ExecCall }
  /** `sealed`: its body. */
  | { readonly do: 'bao'; readonly request: Omit<BaoCall, 'body'>; readonly sealed: string }
  | { readonly do: 'seal' | 'unseal'; readonly namespace: string; readonly pod: string }
  | {
      readonly do: 'kill';
      readonly namespace: string;
      readonly pod: string;
      readonly container: string;
      readonly code: number;
    }
  | { readonly do: 'deny'; readonly denial: Denial }
  | { readonly do: 'allow' }
  | { readonly do: 'trouble'; readonly trouble: Trouble }
  | { readonly do: 'troubled'; readonly index: number }
  | { readonly do: 'outage'; readonly until: number }
  | { readonly do: 'compact' }
  | StoreCommand;

export type Outcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly failure: ApiFailure };

function kill(world: World, command: Extract<Command, { do: 'kill' }>): void {
  const pod = world.store.get<Pod>(kinds.pods, command.namespace, command.pod);
  if (pod === undefined) return;
  const running = find(world, { namespace: command.namespace, name: command.pod, uid: pod.metadata.uid });
  const container = running?.runtime.containers.find(({ name }) => name === command.container);
  if (running !== undefined && container !== undefined)
    killContainer(world, running, { container, code: command.code });
}

function perform(world: World, command: Command): unknown {
  switch (command.do) {
    case 'call':
      return handle(world, command.call);
    case 'exec':
      return execute(world, command.exec) satisfies ExecOutcome;
    case 'bao':
      return changeBao(world, { ...command.request, body: command.sealed });
    case 'seal':
      return seal(world, command.namespace, command.pod);
    case 'unseal':
      return unseal(world, command.namespace, command.pod);
    case 'kill':
      return kill(world, command);
    case 'deny':
      return world.denials.push(command.denial);
    case 'allow':
      return world.denials.splice(0);
    case 'trouble':
      return world.troubles.push({ ...command.trouble });
    case 'troubled': {
      const trouble = world.troubles[command.index];
      if (trouble === undefined) return undefined;
      trouble.times -= 1;
      world.struck.push(`lose ${trouble.verb ?? 'call'} ${trouble.applied ? 'lost' : 'not-done'}`);
      return undefined;
    }
    case 'outage':
      world.unreachableUntil = command.until;
      return undefined;
    case 'compact':
      return world.store.compact();
    default:
      return performStore(world, command);
  }
}

/** Does a command; a refusal of the API server is an outcome, too. */
export function run(world: World, command: Command): Outcome {
  try {
    const value = perform(world, command);
    noticeDocument(world);
    return { ok: true, value };
  } catch (failure) {
    if (failure instanceof ApiFailure) return { ok: false, failure };
    throw failure;
  }
}

/** A line of the world's file. */
export function recordOf(now: number, command: Command, sealer: Sealer): JsonObject {
  const record = { t: now, ...command } as unknown as JsonObject;
  return typeof record.sealed === 'string' ? { ...record, sealed: sealer.seal(record.sealed) } : record;
}

/** The command of such a line; undefined for one that only lets time pass. */
export function commandOf(record: JsonObject, sealer: Sealer): Command | undefined {
  if (typeof record.do !== 'string') return undefined;
  const opened = typeof record.sealed === 'string' ? { sealed: sealer.open(record.sealed) } : {};
  return { ...record, ...opened } as unknown as Command;
}

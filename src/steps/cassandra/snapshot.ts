import type { ChangeStepType, Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { CassandraSnapshotOutputs, CassandraSnapshotWith } from '../../generated/types.ts';
import { asJson, observeOrUnknown } from '../kubectl/observing.ts';
import {
  askEvery,
  type CassandraPod,
  cassandraPods,
  execAccess,
  nodetoolRead,
  nodetoolRequest,
  outputOf,
  targetProblems,
} from './nodes.ts';
import { parseSnapshots, type SnapshotTable } from './nodetool-output.ts';

type Input = CassandraSnapshotWith;

/** 'begin <pod>' before nodetool starts there, 'done <pod>' after it came to a good end; a line each. */
const keepsake = 'taken';
/** A snapshot writes all tables to disk first. */
const patience = 10 * 60_000;
const allowed = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** A node, and what it has of the snapshot. */
interface Holding {
  readonly pod: CassandraPod;
  readonly tables: readonly SnapshotTable[];
}

export const snapshot: ChangeStepType<CassandraSnapshotWith, CassandraSnapshotOutputs> = {
  type: 'cassandra.snapshot',
  effect: 'change',
  timeout: 15 * 60_000,
  describe: (input) => `take a snapshot on every Cassandra node in ${input.namespace}`,
  resources: ({ namespace }) => {
    const place = namespace.includes('‹') ? '*' : namespace;
    return [
      { path: `cassandra/${place}/snapshots/*`, mode: 'write' },
      { path: `kubernetes/${place}/pods/*`, mode: 'read' },
    ];
  },
  access: execAccess,
  check: (input) => [
    ...targetProblems(input),
    ...(input.tag === undefined || allowed.test(input.tag)
      ? []
      : [{ path: ['tag'], message: `'${input.tag}' is not the name of a snapshot.` }]),
    ...(input.keyspaces ?? []).flatMap((keyspace, index) =>
      /^\w{1,48}$/.test(keyspace)
        ? []
        : [{ path: ['keyspaces', String(index)], message: `'${keyspace}' is not the name of a keyspace.` }],
    ),
  ],

  async predict(input, ctx) {
    const tag = input.tag;
    const nodes = await holdings(input, ctx, tag ?? '');
    if (tag !== undefined) requireNone(nodes, tag);
    return {
      predictable: true,
      changes: true,
      diff: nodes.map(({ pod }) => ({
        path: `${pod.name}: snapshot`,
        after: tag ?? '‹named after the run›',
      })),
      outputs: { count: nodes.length, ...(tag !== undefined && { tag }) },
      notes: ['the files stay on the disk of each node until somebody removes them (nodetool clearsnapshot)'],
      duration: { min: 2_000, max: 120_000 },
    };
  },

  async capture(input, ctx) {
    // The operation key, which names it otherwise, is nobody else's.
    if (input.tag !== undefined) requireNone(await holdings(input, ctx, input.tag), input.tag);
    return { state: null, witnesses: [] };
  },

  async run(input, ctx) {
    const tag = tagOf(input, ctx);
    const nodes = await holdings(input, ctx, tag);
    const begun = await noted(ctx, 'begin');
    const foreign = nodes.filter(({ pod, tables }) => tables.length > 0 && !begun.has(pod.name));
    requireNone(foreign, tag);
    const done = await completeIn(ctx, nodes);
    const missing = nodes.filter(({ pod }) => !done.has(pod.name));
    ctx.progress({ text: `taking ${tag} on ${missing.map(({ pod }) => pod.name).join(', ')}` });
    const answers = await askEvery(
      ctx,
      missing.map(({ pod }) => pod),
      async (pod, signal) => {
        // The beginning of our own snapshot, which a crash or a lost answer left: it cannot be gone on with.
        if (nodes.some((node) => node.pod === pod && node.tables.length > 0))
          await change(input, ctx, { pod, words: ['clearsnapshot', '-t', tag], signal });
        await ctx.keep(keepsake, Buffer.from(`begin ${pod.name}\n`));
        const keyspaces = input.keyspaces === undefined ? [] : ['--', ...input.keyspaces];
        await change(input, ctx, { pod, words: ['snapshot', '-t', tag, ...keyspaces], signal });
        await ctx.keep(keepsake, Buffer.from(`done ${pod.name}\n`));
        return true;
      },
      patience,
    );
    const failed = answers.filter(({ value }) => value === undefined);
    if (failed.length > 0)
      throw new StepError(
        'snapshot-failed',
        `No snapshot on ${failed.length} of ${nodes.length} nodes: ${failed.map(({ pod }) => pod.name).join(', ')}.`,
        {
          retryable: true,
          details: failed.map(({ pod, error }) => `${pod.name}: ${error}`),
          hint: 'Nothing is lost by taking it again; see the free space on the disks of these nodes.',
        },
      );
    const after = await holdings(input, ctx, tag);
    const complete = await completeIn(ctx, after);
    const lacking = after.filter(({ pod }) => !complete.has(pod.name));
    if (lacking.length > 0)
      throw new StepError(
        'snapshot-incomplete',
        `nodetool took ${tag}, and afterwards does not list it whole on ${lacking.map(({ pod }) => pod.name).join(', ')}.`,
        { hint: 'Compare nodetool listsnapshots on these nodes; somebody may have cleared it.' },
      );
    return outputsOf(tag, after);
  },

  observe: (input, _before, ctx) =>
    observeOrUnknown(async (): Promise<Observation> => {
      const tag = tagOf(input, ctx);
      const nodes = await holdings(input, ctx, tag);
      const done = await completeIn(ctx, nodes);
      const begun = nodes.filter(({ tables }) => tables.length > 0);
      const ours = await noted(ctx, 'begin');
      const foreign = begun.filter(({ pod }) => !ours.has(pod.name));
      if (foreign.length > 0)
        return {
          state: 'conflict',
          evidence: `somebody else took a snapshot ${tag} on ${foreign.map(({ pod }) => pod.name).join(', ')}`,
        };
      if (done.size === nodes.length)
        return {
          state: 'applied',
          evidence: `snapshot ${tag} is listed on ${nodes.length} of ${nodes.length} nodes`,
          outputs: asJson(outputsOf(tag, nodes)),
        };
      return {
        state: 'not-applied',
        ...(begun.length > 0 && { partial: true }),
        evidence: `snapshot ${tag} is whole on ${done.size} of ${nodes.length} nodes, begun on ${begun.length}`,
      };
    }),

  undo: { irreversible: 'A snapshot is kept: it changes no data, and may be what is needed next.' },
};

function tagOf(input: Input, ctx: { readonly operationKey: string }): string {
  return input.tag ?? ctx.operationKey;
}

/** Pods that this step has noted. */
async function noted(ctx: ReadContext, what: 'begin' | 'done'): Promise<ReadonlySet<string>> {
  const text = Buffer.from((await ctx.kept(keepsake)) ?? []).toString();
  // What follows the last line feed was cut off by a crash.
  const lines = text
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' '));
  return new Set(lines.flatMap(([word, pod = '']) => (word === what ? [pod] : [])));
}

/** Every node with what it has under the tag. One that cannot be asked is an error: a snapshot lacking a node is none. */
async function holdings(input: Input, ctx: ReadContext, tag: string): Promise<readonly Holding[]> {
  if (tag !== '' && !allowed.test(tag))
    throw new StepError('invalid-tag', `'${tag}' is not the name of a snapshot.`, { outcome: 'not-applied' });
  const pods = await cassandraPods(ctx, input);
  const answers = await askEvery(ctx, pods, async (pod, signal): Promise<Holding> => {
    const found = parseSnapshots(await nodetoolRead(ctx, input, { pod, words: ['listsnapshots'], signal }));
    if (found === undefined)
      throw new StepError('nodetool-unreadable', 'nodetool printed no list of snapshots.');
    return { pod, tables: found.filter((table) => table.tag === tag) };
  });
  return answers.map(({ pod, value, error }) => {
    if (value !== undefined) return value;
    throw new StepError('node-unreachable', `${pod.name} cannot be asked for its snapshots: ${error}`, {
      outcome: 'not-applied',
      retryable: true,
      hint: 'Every node has to take part. Bring this one up first (cassandra.status).',
    });
  });
}

function requireNone(nodes: readonly Holding[], tag: string): void {
  const having = nodes.filter(({ tables }) => tables.length > 0).map(({ pod }) => pod.name);
  if (having.length === 0) return;
  throw new StepError('tag-exists', `A snapshot ${tag} is there already on ${having.join(', ')}.`, {
    outcome: 'not-applied',
    hint: 'Name another tag, for example with {{run.id}} in it; an earlier snapshot is never replaced.',
  });
}

/**
 * Pods with the whole snapshot: nodetool said so, or it has the same tables as a node where nodetool said so. All nodes have the same
 * tables, so a snapshot that was cut off shows.
 */
async function completeIn(ctx: ReadContext, nodes: readonly Holding[]): Promise<ReadonlySet<string>> {
  const told = await noted(ctx, 'done');
  const proven = nodes.filter(({ pod, tables }) => told.has(pod.name) && tables.length > 0);
  const names = ({ tables }: Holding) => new Set(tables.map(({ keyspace, table }) => `${keyspace}.${table}`));
  const whole = new Set(proven.flatMap((node) => [...names(node)]));
  return new Set(
    nodes
      .filter((node) => whole.size > 0 && [...whole].every((name) => names(node).has(name)))
      .map(({ pod }) => pod.name),
  );
}

async function change(
  input: Input,
  ctx: RunContext,
  given: { readonly pod: CassandraPod; readonly words: readonly string[]; readonly signal: AbortSignal },
): Promise<void> {
  const request = nodetoolRequest(input, given.pod, given.words);
  outputOf(given, await ctx.services.kubernetes.exec(request, given.signal));
}

function outputsOf(tag: string, nodes: readonly Holding[]): CassandraSnapshotOutputs {
  const each = nodes.map(({ pod, tables }) => ({
    pod: pod.name,
    tables: tables.length,
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
  }));
  const bytes = each.reduce((sum, node) => sum + node.bytes, 0);
  const tables = Math.max(0, ...each.map((node) => node.tables));
  return {
    tag,
    nodes: each,
    count: each.length,
    bytes,
    summary: `snapshot ${tag} on ${each.length} nodes, ${tables} tables each, ${sizeOf(bytes)} in all; it lies on the disks of the nodes`,
  };
}

function sizeOf(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const at = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const amount = bytes / 1024 ** at;
  return `${at === 0 ? amount : amount.toFixed(1)} ${units[at]}`;
}

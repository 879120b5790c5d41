import type { SandboxScript } from '../../src/sandbox/script.ts';
import type { Strike } from '../../src/sandbox/strikes.ts';
import type { Counted, Process } from './chaos-run.ts';
import type { Draw } from './random.ts';

/** When, in calls of an undisturbed run. */
type When = 'any' | 'before-guard' | 'after-guard' | 'while-reencrypting';

interface Fault {
  /** The count that it goes by, see `kindOf`. */
  readonly name: string;
  readonly when: When;
  readonly strike: (draw: Draw) => Strike;
}

const MINUTE = 60_000;
const spell = (draw: Draw) => draw.pick([5_000, 30_000, 2 * MINUTE, 10 * MINUTE, 90 * MINUTE]);
const pod = (of: Extract<Strike, { what: 'kill-pod' }>['of']): Fault => ({
  name: `kill-pod ${of}`,
  when: 'any',
  strike: (draw) => ({ what: 'kill-pod', of, at: draw.integer(0, 2), gone: draw.chance(0.5) }),
});
const lost = (at: Extract<Strike, { what: 'lose' }>['at']): Fault => ({
  name: `lose ${at}`,
  when: 'any',
  strike: (draw) => ({ what: 'lose', at, applied: draw.chance(0.7) }),
});
const written = (
  how: Extract<Strike, { what: 'write-document' }>['how'],
  when: When,
  name: string,
): Fault => ({
  name,
  when,
  strike: () => ({ what: 'write-document', how }),
});
const stopped = (nodes: number): Fault => ({
  name: `stop-nodes ${nodes}`,
  when: 'any',
  strike: (draw) => ({
    what: 'stop-nodes',
    nodes: [0, 1, 2].slice(draw.integer(0, 3 - nodes)).slice(0, nodes),
    for: spell(draw),
  }),
});

/** Everything that strikes, besides the kill of the program itself. */
export const faults: readonly Fault[] = [
  pod('openbao-active'),
  pod('openbao-standby'),
  pod('ess'),
  pod('api-keys'),
  pod('nvcf-api'),
  pod('cassandra'),
  ...(['openbao-active', 'openbao-standby'] as const).map(
    (of): Fault => ({
      name: `seal ${of}`,
      when: 'any',
      strike: (draw) => ({ what: 'seal', of, ...(draw.chance(0.2) ? {} : { for: spell(draw) }) }),
    }),
  ),
  { name: 'step-down', when: 'any', strike: () => ({ what: 'step-down' }) },
  stopped(1),
  stopped(2),
  lost('kv-write'),
  lost('nek-insert'),
  lost('patch'),
  written('field', 'any', 'write-document field written'),
  written('reorder', 'any', 'write-document reorder written'),
  written('blind', 'before-guard', 'write-document blind written'),
  written('blind', 'after-guard', 'write-document blind refused'),
  {
    name: 'reencrypt',
    when: 'while-reencrypting',
    strike: (draw) => ({
      what: 'reencrypt',
      keys: draw.integer(1, 30),
      around: draw.integer(0, 8),
      promoted: draw.chance(0.5),
    }),
  },
  { name: 'migrations written', when: 'before-guard', strike: () => ({ what: 'migrations' }) },
  { name: 'migrations refused', when: 'after-guard', strike: () => ({ what: 'migrations' }) },
];

/** Every kind that a battery must have struck with; the first two are kills of the program. */
export const kinds: readonly string[] = ['kill at append', 'kill at call', ...faults.map(({ name }) => name)];

/** What the world says that struck, as one of the kinds. */
export function kindOf(struck: string): string | undefined {
  if (struck === 'die') return 'kill at call';
  const known: Readonly<Record<string, string>> = {
    'lose patch lost': 'lose patch',
    'lose patch not-done': 'lose patch',
  };
  return known[struck] ?? kinds.find((kind) => struck === kind || struck.startsWith(`${kind} `));
}

/** Leases are renewed all the time: most calls around them are about nothing else. */
function places({ changes }: Counted): readonly number[] {
  return changes.filter(([, what]) => !what.includes('/leases')).map(([call]) => call);
}

function momentOf(draw: Draw, counted: Counted, when: When): number {
  const at = (text: string) =>
    counted.changes.filter(([, what]) => what.includes(text)).map(([call]) => call);
  const [guard = 1] = at('/metadata/');
  const activated = at('/data/').at(-1) ?? counted.calls;
  if (when === 'before-guard') return draw.integer(1, guard - 1);
  if (when === 'while-reencrypting') {
    const rows = at('rows');
    return draw.chance(0.7)
      ? draw.pick(rows) + draw.integer(-4, 1)
      : draw.integer(activated + 1, counted.calls);
  }
  const from = when === 'after-guard' ? guard + 1 : 1;
  const near = places(counted).filter((call) => call >= from);
  return draw.chance(0.5)
    ? Math.max(from, draw.pick(near) + draw.integer(-3, 2))
    : draw.integer(from, counted.calls);
}

/** Appends of an undisturbed run, each with a point before and one after it. */
const APPENDS = 2 * 95;

function kill(draw: Draw, counted: Counted, kind: 'append' | 'call'): Partial<Process> {
  if (kind === 'append') return { killAt: draw.integer(1, APPENDS) };
  return { strikes: [{ after: momentOf(draw, counted, 'any'), strike: { what: 'die' } }] };
}

export interface Drawn {
  readonly world: { readonly essReplicas: number; readonly every: number };
  readonly first: Process;
  /** Is a copy of the keys made before, by the runbook for it? */
  readonly backedUp: boolean;
  readonly names: readonly string[];
}

/** One or two things that go wrong in the first process; `number` goes round all kinds, so that none is left out. */
export function drawRun(draw: Draw, number: number, counted: (essReplicas: number) => Counted): Drawn {
  const essReplicas = draw.integer(1, 2);
  const count = counted(essReplicas);
  const lead = kinds[number % kinds.length] ?? '';
  const names = [lead, ...(draw.chance(0.6) ? [draw.pick(kinds)] : [])];
  const strikes: NonNullable<SandboxScript['strikes']>[number][] = [];
  let killAt: number | undefined;
  for (const name of names) {
    const fault = faults.find((known) => known.name === name);
    if (fault !== undefined)
      strikes.push({ after: momentOf(draw, count, fault.when), strike: fault.strike(draw) });
    else {
      const killed = kill(draw, count, name === 'kill at call' ? 'call' : 'append');
      strikes.push(...(killed.strikes ?? []));
      killAt ??= killed.killAt;
    }
  }
  return {
    world: { essReplicas, every: draw.pick([2_000, 7_000, 30_000]) },
    first: { verb: 'exec', strikes, ...(killAt === undefined ? {} : { killAt }) },
    backedUp: names.includes('migrations written'),
    names,
  };
}

/** How it goes on after a process ended so; undefined: it has come to its end. */
export function drawNext(
  draw: Draw,
  last: { readonly code: number | undefined; readonly verb: Process['verb']; readonly number: number },
  counted: Counted,
): Process | undefined {
  const { code, verb, number } = last;
  if (code === 5 || code === 4) return undefined;
  if (code === 0 && (verb === 'rollback' || !draw.chance(0.15))) return undefined;
  if (number >= 6) return undefined;
  const back = code === 0 || verb === 'rollback' || number >= 4 || draw.chance(number >= 3 ? 0.7 : 0.4);
  const after = draw.chance(0.6) ? { after: spell(draw) } : {};
  const next: Process = { verb: back ? 'rollback' : 'resume', ...after };
  const mended = { after: 1, strike: { what: 'mend' } } as const;
  if (number >= 3) return { ...next, strikes: [mended] };
  const again = draw.chance(0.35) ? kill(draw, counted, draw.chance(0.5) ? 'append' : 'call') : {};
  const fault = draw.chance(0.25) ? draw.pick(faults.filter(({ when }) => when === 'any')) : undefined;
  const strikes = [
    ...(draw.chance(0.7) ? [mended] : []),
    ...(fault === undefined ? [] : [{ after: momentOf(draw, counted, 'any'), strike: fault.strike(draw) }]),
    ...(again.strikes ?? []),
  ];
  return { ...next, ...again, strikes };
}

import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { NekVerifyOutputs, NekVerifyWith } from '../../generated/types.ts';
import type { NekReadSession } from '../../services/nek-store.ts';
import { cassandraSession } from '../mek/session.ts';
import { outOfTime } from '../out-of-time.ts';
import { nekAccess, nekPlaceProblems, nekResources } from './place.ts';
import { readNeks } from './scan.ts';
import { sparing } from './sparing.ts';
import { createVerifier, type Verifier } from './verify-rule.ts';
import { createSample, type NekSample } from './verify-sample.ts';
import { readMasterKeys } from './verify-world.ts';

const atOnce = 64;
const shown = 50;

type Failure = NekVerifyOutputs['failures'][number];

export const verify: ReadStepType<NekVerifyWith, NekVerifyOutputs> = {
  type: 'nek.verify',
  effect: 'read',
  timeout: 30 * 60_000,
  describe: (input) => `prove that the namespace keys in ${input.cassandra?.namespace} open`,
  resources: (input) => nekResources(input, 'read'),
  access: nekAccess,
  check: nekPlaceProblems,

  async run(input, ctx) {
    const { masterKeys, active } = await readMasterKeys(ctx, input.openbao);
    const session = await cassandraSession(ctx, input.openbao, input.cassandra);
    try {
      const seed = input.seed ?? `${ctx.runId}/${ctx.instance}`;
      const sample = createSample(input.sample ?? 10_000, seed);
      const failures = await collect(ctx, session, sample);
      const verifier = await createVerifier({ masterKeys, active });
      const proven = await prove(ctx, verifier, sample);
      failures.push(...proven.failures);
      return answer(input, failures, {
        kid: active,
        total: sample.total,
        checked: proven.checked,
        waiting: proven.waiting,
        seed,
      });
    } finally {
      session.close();
    }
  },
};

/** Reads everything into the sample; a namespace whose current key has no row cannot encrypt, whatever is sampled. */
async function collect(ctx: ReadContext, session: NekReadSession, sample: NekSample): Promise<Failure[]> {
  const failures: Failure[] = [];
  let at: { readonly namespace: string; readonly currentKid: string | null; found: boolean } | undefined;
  const close = () => {
    if (at !== undefined && at.currentKid !== null && !at.found)
      failures.push({ namespace: at.namespace, kid: '', reason: 'its current_kid has no row' });
  };
  const show = sparing(ctx);
  await readNeks(ctx, session, ({ neks, done }) => {
    for (const rows of neks) {
      const [first] = rows;
      if (first === undefined) continue;
      if (first.namespace !== at?.namespace) {
        close();
        at = { namespace: first.namespace, currentKid: first.currentKid, found: false };
      }
      at.found ||= first.kid === at.currentKid;
      sample.add(rows);
    }
    show(() => `read ${sample.total} namespace keys, ${Math.floor(done * 100)} %`);
  });
  close();
  return failures;
}

interface Proven {
  readonly checked: number;
  readonly waiting: number;
  readonly failures: readonly Failure[];
}

async function prove(ctx: ReadContext, verifier: Verifier, sample: NekSample): Promise<Proven> {
  const show = sparing(ctx);
  const failures: Failure[] = [];
  let [opened, waiting] = [0, 0];
  for (const group of sample.chosen(atOnce)) {
    if (ctx.signal.aborted) throw outOfTime(ctx, `Only ${opened} of ${sample.size} were opened in time.`);
    const verdicts = await Promise.all(group.map((rows) => verifier.judge(rows)));
    for (const [index, verdict] of verdicts.entries()) {
      const row = group[index]?.[0];
      if (verdict.state === 'waiting') waiting += 1;
      if (verdict.state === 'failed' && row !== undefined)
        failures.push({ namespace: row.namespace, kid: row.kid, reason: verdict.reason });
    }
    opened += group.length;
    show(() => `opened ${opened} of ${sample.size}`);
  }
  return { checked: opened, waiting, failures };
}

function answer(
  input: NekVerifyWith,
  failures: readonly Failure[],
  seen: {
    readonly kid: string;
    readonly total: number;
    readonly checked: number;
    readonly waiting: number;
    readonly seed: string;
  },
): NekVerifyOutputs {
  const { kid, total, checked, waiting, seed } = seen;
  const ok = failures.length === 0;
  const which = checked === total ? `all ${total}` : `${checked} of ${total}`;
  const summary = ok
    ? `${which} namespace keys are in order under ${kid}${waiting === 0 ? '' : `, ${waiting} of them wait for their promotion`}`
    : `${failures.length} failures among ${which} namespace keys`;
  if (!ok && input.mustPass !== false)
    throw new StepError('nek-unproven', `Not every namespace key can be proven: ${summary}.`, {
      outcome: 'not-applied',
      details: failures
        .slice(0, 20)
        .map(({ namespace, kid: nek, reason }) => `${namespace}${nek === '' ? '' : ` ${nek}`}: ${reason}`),
      hint: 'See what each of them is with nek.census, and keep every master key until it is understood.',
    });
  return {
    kid,
    total,
    checked,
    sampled: checked < total,
    seed,
    ok,
    failures: failures.slice(0, shown),
    failureCount: failures.length,
    summary,
  };
}

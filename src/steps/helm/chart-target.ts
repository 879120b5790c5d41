import { Secret } from '../../engine/secret.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { HelmTarget } from '../../services/helm.ts';
import { type ReleaseInput, refOf, releaseName, releaseProblems } from './release-target.ts';

export interface ChartInput extends ReleaseInput {
  readonly chart: string;
  readonly version: string;
  readonly digest?: string;
  readonly plainHttp?: boolean;
  readonly values?: string;
  readonly reuse?: boolean;
}

type Problem = { readonly path: readonly string[]; readonly message: string; readonly hint?: string };

const largestValues = 4 * 1024 * 1024;

export function chartProblems(input: ChartInput): readonly Problem[] {
  const problems = [...releaseProblems(input)];
  const file = input.values !== undefined && input.values !== '';
  if (file && input.reuse === true)
    problems.push({
      path: ['reuse'],
      message: 'Values come from a file or from the release, not from both.',
    });
  if (!file && input.reuse !== true)
    problems.push({
      path: ['values'],
      message: 'Without its values an upgrade would put every setting back to the default of the chart.',
      hint: 'Name the values file (helm.get-values writes one), or write reuse: true to keep those of the release.',
    });
  return problems;
}

/** The chart and the values that an upgrade is to have; reads the values file. */
export async function targetOf(ctx: ReadContext, input: ChartInput): Promise<HelmTarget> {
  const [problem] = chartProblems(input);
  if (problem !== undefined)
    throw new StepError('invalid-input', `${problem.path.join('.')}: ${problem.message}`, {
      outcome: 'not-applied',
      ...(problem.hint !== undefined && { hint: problem.hint }),
    });
  const { values = '', digest = '' } = input;
  return {
    ...refOf(input),
    chart: input.chart,
    version: input.version,
    ...(digest !== '' && { digest }),
    ...(input.plainHttp !== undefined && { plainHttp: input.plainHttp }),
    values: values === '' ? 'reuse' : { file: await readValues(ctx, input, values) },
  };
}

/** How every age file begins. */
const encrypted = 'age-encryption.org/';

async function readValues(ctx: ReadContext, input: ChartInput, file: string): Promise<Secret> {
  let bytes: Uint8Array;
  try {
    bytes = await ctx.services.files.read(file, largestValues);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StepError('values-missing', `The values for release ${releaseName(input)}: ${why}.`, {
      outcome: 'not-applied',
      hint: 'Write the values of the release to a file with helm.get-values, or name another.',
      cause,
    });
  }
  if (!Buffer.from(bytes.subarray(0, encrypted.length)).equals(Buffer.from(encrypted)))
    return new Secret('values', bytes);
  throw new StepError(
    'values-encrypted',
    `The values file ${file} for release ${releaseName(input)} is encrypted with age.`,
    {
      outcome: 'not-applied',
      hint: 'Decrypt it into a file that its owner alone may read (umask 077; age --decrypt --identity FILE), name that, and remove it afterwards.',
    },
  );
}

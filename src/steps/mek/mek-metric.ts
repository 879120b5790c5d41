import type { ReadContext } from '../../engine/step-type.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { parseExposition } from '../metrics/exposition.ts';

const port = 9464;

/**
 * Whether a pod of ESS names this key as its current one in its gauge `rotation_mek_delta`, whose label shows the first and the
 * last three characters of the kid. Says nothing (false) when another key of the document would look the same.
 */
export async function metricNames(
  ctx: ReadContext,
  pod: KubernetesObject,
  { kid, kids }: { readonly kid: string; readonly kids: readonly string[] },
): Promise<boolean> {
  if (kids.some((other) => other !== kid && masked(other) === masked(kid))) return false;
  const { namespace = '', name } = pod.metadata;
  const request = {
    method: 'GET',
    url: `http://localhost:${port}/metrics`,
    through: { namespace, pod: name, port },
  } as const;
  try {
    const { status, body } = await ctx.services.http.request(request, ctx.signal);
    if (status !== 200) return false;
    const series = parseExposition(body).filter((sample) => sample.name === 'rotation_mek_delta');
    // A gauge that still shows an earlier key, too, does not tell which one is current.
    return series.length === 1 && series[0]?.labels.kid === masked(kid);
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    return false;
  }
}

function masked(kid: string): string {
  return `${kid.slice(0, 3)}***${kid.slice(-3)}`;
}

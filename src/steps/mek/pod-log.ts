import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { call } from '../kubectl/errors.ts';
import { at, countAt, listAt, textAt } from '../kubectl/fields.ts';
import type { Loaded } from './load-lines.ts';
import { nothingLoaded, withLine } from './load-lines.ts';

// A busy service writes this much in hours; its lines about keys come with every change of them.
const tailLines = 20_000;
// Where reads meet, so that no line falls between two.
const overlap = 15_000;

interface Read {
  readonly at: number;
  readonly loaded: Loaded;
}

/** Reads logs again and again, each time only what is new; a container that was started anew is read from its beginning. */
export interface LoadLogs {
  /** Undefined while the container has no log to read. */
  loadedBy(pod: KubernetesObject, container: string): Promise<Loaded | undefined>;
}

/** `since`: milliseconds since the epoch; older lines say nothing about what is looked for. */
export function loadLogs(ctx: ReadContext, since: number | undefined): LoadLogs {
  const reads = new Map<string, Read>();
  return {
    async loadedBy(pod, container) {
      const status = containerStatus(pod, container);
      if (at(status, 'state', 'running') === undefined) return undefined;
      const key = `${pod.metadata.uid} ${container} ${countAt(status, 'restartCount')}`;
      const known = reads.get(key);
      const now = ctx.services.clock.now();
      const from = known === undefined ? since : known.at - overlap;
      const loaded = await read(ctx, { pod, container, from }, known?.loaded ?? nothingLoaded);
      if (loaded !== undefined) reads.set(key, { at: now, loaded });
      return loaded;
    },
  };
}

export function containerStatus(pod: KubernetesObject, container: string): unknown {
  return listAt(pod.status, 'containerStatuses').find((status) => textAt(status, 'name') === container);
}

async function read(
  ctx: ReadContext,
  {
    pod,
    container,
    from,
  }: { readonly pod: KubernetesObject; readonly container: string; readonly from: number | undefined },
  before: Loaded,
): Promise<Loaded | undefined> {
  const { namespace = '', name } = pod.metadata;
  const age = from === undefined ? undefined : ctx.services.clock.now() - from;
  const sinceSeconds = age === undefined ? undefined : Math.max(1, Math.ceil(age / 1000));
  const options = { container, tailLines, ...(sinceSeconds !== undefined && { sinceSeconds }) };
  try {
    return await call({ verb: 'read', what: `the log of pod ${namespace}/${name}` }, async () => {
      let loaded = before;
      let rest = '';
      for await (const chunk of ctx.services.kubernetes.logs({ namespace, pod: name }, options, ctx.signal)) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) loaded = withLine(loaded, line);
      }
      return withLine(loaded, rest);
    });
  } catch (error) {
    // Replaced, or started anew, between the list and the read.
    if (error instanceof StepError && ['invalid', 'not-found'].includes(error.code)) return undefined;
    throw error;
  }
}

import type { ReadContext } from '../../engine/step-type.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { kinds } from '../../services/kubernetes.ts';
import { call } from './errors.ts';
import { countAt, textAt } from './fields.ts';

/** An event, whichever of the two event APIs wrote it. */
export interface EventLine {
  type: string;
  reason: string;
  message: string;
  /** 'Pod/nvcf-api-7d9f' */
  object: string;
  count: number;
  /** ISO 8601; empty when the cluster does not say. */
  lastSeen: string;
}

/** Events of a namespace, the newest last. */
export async function readEvents(
  ctx: ReadContext,
  query: {
    readonly namespace?: string | undefined;
    readonly kind?: string | undefined;
    readonly name?: string | undefined;
    readonly type?: string | undefined;
  },
): Promise<EventLine[]> {
  const { namespace, kind, name, type } = query;
  const fields = [
    ...(kind === undefined ? [] : [`involvedObject.kind=${kind}`]),
    ...(name === undefined ? [] : [`involvedObject.name=${name}`]),
    ...(type === undefined ? [] : [`type=${type}`]),
  ];
  const events = await call(
    { verb: 'list', what: `events${namespace === undefined ? '' : ` in ${namespace}`}` },
    () =>
      ctx.services.kubernetes.list(kinds.events, {
        ...(namespace !== undefined && { namespace }),
        ...(fields.length > 0 && { fieldSelector: fields.join(',') }),
      }),
  );
  return events
    .map(eventLine)
    .sort((a, b) => (a.lastSeen < b.lastSeen ? -1 : a.lastSeen > b.lastSeen ? 1 : 0));
}

function eventLine(event: KubernetesObject): EventLine {
  const series = countAt(event, 'series', 'count');
  return {
    type: textAt(event, 'type'),
    reason: textAt(event, 'reason'),
    message: (textAt(event, 'message') || textAt(event, 'note')).trim(),
    object: `${textAt(event, 'involvedObject', 'kind')}/${textAt(event, 'involvedObject', 'name')}`,
    count: Math.max(1, countAt(event, 'count'), series),
    lastSeen:
      textAt(event, 'series', 'lastObservedTime') ||
      textAt(event, 'lastTimestamp') ||
      textAt(event, 'eventTime') ||
      (event.metadata.creationTimestamp ?? ''),
  };
}

import type { ReadContext } from '../../engine/step-type.ts';
import { call } from './errors.ts';

export interface LogSource {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string | undefined;
}

export interface LogQuery {
  readonly tail?: number | undefined;
  readonly sinceSeconds?: number | undefined;
  readonly previous?: boolean | undefined;
  readonly follow?: boolean | undefined;
}

// Longer lines are cut: nothing of use to a human stands further right.
const maxLine = 8192;
const maxBytes = 4 * 1024 * 1024;

/** The lines of a log as they come; control characters stay as they are. */
export async function* logLines(
  ctx: ReadContext,
  source: LogSource,
  query: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const { namespace, pod, container } = source;
  const chunks = ctx.services.kubernetes.logs(
    { namespace, pod },
    {
      ...(container !== undefined && { container }),
      ...(query.tail !== undefined && { tailLines: query.tail }),
      ...(query.sinceSeconds !== undefined && { sinceSeconds: query.sinceSeconds }),
      ...(query.previous === true && { previous: true }),
      ...(query.follow === true ? { follow: true } : { limitBytes: maxBytes }),
    },
    signal,
  );
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = (lines.pop() ?? '').slice(0, maxLine);
    for (const line of lines) yield cut(line);
  }
  if (rest !== '') yield cut(rest);
}

/** A whole log, or its tail. */
export async function readLog(
  ctx: ReadContext,
  source: LogSource,
  query: LogQuery,
  signal: AbortSignal,
): Promise<string[]> {
  return await call({ verb: 'read', what: `the log of pod ${source.namespace}/${source.pod}` }, async () => {
    const lines: string[] = [];
    for await (const line of logLines(ctx, source, query, signal)) lines.push(line);
    return lines;
  });
}

function cut(line: string): string {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  return text.length > maxLine ? `${text.slice(0, maxLine)}…` : text;
}

import type { JournaledEvent } from './event.ts';

/** What names things or drives decisions is never a secret, and must stay as it is. */
const structural: ReadonlySet<string> = new Set([
  'type',
  'id',
  'node',
  'parent',
  'block',
  'by',
  'effect',
  'uses',
  'run',
  'planDigest',
  'operationKey',
  'phase',
  'state',
  'kind',
  'handling',
  'outcome',
  'mode',
]);

/** The event with every text that came from outside passed through the redactor: the journal is a sink like any other. */
export function redactEvent<Event extends JournaledEvent>(
  event: Event,
  redact: (text: string) => string,
): Event {
  const clean: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(event))
    clean[key] = structural.has(key) ? value : redactValue(value, redact);
  return clean as Event;
}

function redactValue(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === 'string') return redact(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => redactValue(item, redact));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [redact(key), redactValue(item, redact)]),
  );
}

import { timeOfUuid } from '../crypto/time-uuid.ts';
import type { World } from '../world.ts';
import { mask } from './ess.ts';
import type { Consumer } from './state.ts';

/** Counters that are there before anything was counted. */
const ALWAYS = [
  'nek_v2_decryption_get_errors_total',
  'nek_v2_decryption_gets_total',
  'nek_v2_encryption_get_errors_total',
  'nek_v2_encryption_gets_total',
  'nek_validation_errors_total',
];

/** ESS's own metrics in Prometheus text. */
export function essMetrics(world: World, consumer: Consumer): string {
  const { keys, counters } = consumer;
  const families = new Map<string, string[]>(ALWAYS.map((name) => [name, []]));
  for (const [sample, value] of counters) {
    const name = sample.replace(/\{.*$/, '');
    families.set(name, [...(families.get(name) ?? []), `${sample} ${value}`]);
  }
  const lines = [...families]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, samples]) => [
      `# TYPE ${name} counter`,
      ...(samples.length === 0 ? [`${name} 0`] : samples),
    ]);
  if (keys === undefined) return `${lines.join('\n')}\n`;
  const age = world.timeline.now - (timeOfUuid(keys.current) ?? 0);
  const others = keys.kids.slice(1).filter((kid) => timeOfUuid(kid) === undefined).length;
  return `${[
    ...lines,
    '# TYPE rotation_mek_delta gauge',
    `rotation_mek_delta{kid="${mask(keys.current)}"} ${age}`,
    '# TYPE previous_mek_not_uuidv1 gauge',
    `previous_mek_not_uuidv1 ${others}`,
  ].join('\n')}\n`;
}

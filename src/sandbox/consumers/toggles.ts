import type { Container } from '../objects.ts';

const HOUR = 3_600_000;
const UNITS: Readonly<Record<string, number>> = { D: 24 * HOUR, H: HOUR, M: 60_000, S: 1000 };

/** One of ESS's jobs: what it does, and when. */
export interface JobSettings {
  readonly scheduled: boolean;
  readonly enabled: boolean;
  /** Namespaces for which it is enabled besides. */
  readonly namespaces: readonly string[];
  /** Milliseconds that must have passed since the last time. */
  readonly period: number;
  readonly cron: string | undefined;
}

export interface EssSettings {
  readonly rotation: JobSettings;
  readonly reencryption: JobSettings;
  readonly promotion: JobSettings;
  /** Milliseconds after a kid's time in which the jobs skip themselves. */
  readonly grace: number;
}

/** 'PT48H', 'P2D', 'PT0S' as milliseconds. */
function duration(text: string | undefined, fallback: number): number {
  if (text === undefined || !/^P(?=.)(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?$/.test(text)) return fallback;
  return [...text.matchAll(/(\d+)([DHMS])/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ''] ?? 0),
    0,
  );
}

/** ESS's settings for its jobs, as its environment gives them. */
export function settingsOf(container: Container | undefined): EssSettings {
  const env = new Map(container?.env?.map(({ name, value }) => [name, value ?? '']));
  const on = (name: string) => env.get(name) === 'true';
  const job = (name: string, list: string): JobSettings => ({
    scheduled: on(`ENCRYPTION_${name}_SCHEDULED_ENABLED`),
    enabled: on(`ENCRYPTION_${name}_ENABLED`),
    namespaces: (env.get(`ENCRYPTION_${name}_${list}`) ?? '').split(',').filter((word) => word !== ''),
    period: duration(env.get(`ENCRYPTION_${name}_SCHEDULED_PERIOD`), 77 * 24 * HOUR),
    cron: env.get(`ENCRYPTION_${name}_SCHEDULED_CRON`),
  });
  return {
    rotation: job('ROTATION', 'ALWAYSROTATELIST'),
    reencryption: job('REENCRYPTION', 'ALLOWLIST'),
    promotion: job('PROMOTION', 'ALLOWLIST'),
    grace: duration(env.get('ENCRYPTION_MEKROTATIONGRACEPERIOD'), 48 * HOUR),
  };
}

type Field = (value: number) => boolean;

/** '*', '5', '1,2', '3-8', '* /5' and '0/5' of one field; undefined for anything else. */
function field(text: string): Field | undefined {
  const parts = text.split(',').map((part): Field | undefined => {
    const match = /^(\*|\d+)(?:-(\d+))?(?:\/(\d+))?$/.exec(part);
    if (match === null) return part === '?' ? () => true : undefined;
    const from = match[1] === '*' ? 0 : Number(match[1]);
    const step = match[3] === undefined ? undefined : Number(match[3]);
    const to =
      match[2] === undefined ? (match[1] === '*' || step !== undefined ? 59 : from) : Number(match[2]);
    return (value) => value >= from && value <= to && (value - from) % (step ?? 1) === 0;
  });
  return parts.some((part) => part === undefined)
    ? undefined
    : (value) => parts.some((part) => part?.(value) === true);
}

/** When a Spring cron of six fields is due next after `now`, in UTC; days, months and weekdays are not looked at. Undefined: never, or no cron. */
export function nextRun(cron: string, now: number): number | undefined {
  const [second, minute, hour] = cron.trim().split(/\s+/).map(field);
  if (second === undefined || minute === undefined || hour === undefined) return undefined;
  for (let at = Math.floor(now / 1000) + 1, end = at + 86_400; at <= end; at += 1) {
    const clock = new Date(at * 1000);
    if (!hour(clock.getUTCHours()) || !minute(clock.getUTCMinutes())) at += 59 - clock.getUTCSeconds();
    else if (second(clock.getUTCSeconds())) return at * 1000;
  }
  return undefined;
}

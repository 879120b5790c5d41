/** One of the three scheduled jobs. */
export interface JobSettings {
  enabled: boolean;
  /** Does a schedule exist? Without one the job never runs, enabled or not. */
  scheduled: boolean;
  /** Namespaces for which the job is on even when it is not enabled. */
  list: string[];
  /** Milliseconds that must have passed since the last time. */
  period: number;
}

/** The operator's toggles, under the names that Spring binds to `encryption.*`. */
export interface Settings {
  gracePeriod: number;
  reencryption: JobSettings;
  promotion: JobSettings;
  rotation: JobSettings;
  /** How long a wrapped key stays in the caches, in milliseconds; an hour in the real service. */
  cacheTtl: number;
  /** Between two looks at the document; the agent and the service together take up to 15 minutes. */
  reloadEvery: number;
  /** Between two runs of the jobs, instead of their cron expressions. */
  jobsEvery: number;
}

/** Reads the settings from the environment. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const seconds = (name: string, usual: number) => Number(env[name] ?? usual) * 1000;
  const job = (name: string, list: string): JobSettings => ({
    enabled: env[`ENCRYPTION_${name}_ENABLED`] === 'true',
    scheduled: env[`ENCRYPTION_${name}_SCHEDULED_ENABLED`] === 'true',
    list: (env[`ENCRYPTION_${name}_${list}`] ?? '')
      .split(',')
      .map((namespace) => namespace.trim())
      .filter(Boolean),
    period: duration(env[`ENCRYPTION_${name}_SCHEDULED_PERIOD`] ?? 'P77D'),
  });
  return {
    gracePeriod: duration(env.ENCRYPTION_MEKROTATIONGRACEPERIOD ?? 'PT48H'),
    reencryption: job('REENCRYPTION', 'ALLOWLIST'),
    promotion: job('PROMOTION', 'ALLOWLIST'),
    rotation: job('ROTATION', 'ALWAYSROTATELIST'),
    cacheTtl: seconds('CACHE_TTL_SECONDS', 5),
    reloadEvery: seconds('RELOAD_SECONDS', 2),
    jobsEvery: seconds('JOBS_SECONDS', 10),
  };
}

/** Milliseconds of an ISO 8601 duration without months and years, such as `P77D` or `PT48H`. */
function duration(text: string): number {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(text);
  if (match === null) throw new Error(`${text} is no duration`);
  const [days, hours, minutes, rest] = match.slice(1).map((part) => Number(part ?? 0));
  return ((((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (rest ?? 0)) * 1000;
}

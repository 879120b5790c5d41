import type { Manifest } from './manifest.ts';

/** Text in an object that its chart replaces by a value: `chartValue('migrations.readFails')`. Only for objects that Helm alone creates. */
export function chartValue(path: string): string {
  return `«${path}»`;
}

/** The marks of `chartValue` in a text, with their paths. */
export const chartValues = /«([\w.]+)»/g;

/** Events at which Helm runs a Job by itself. */
export type HookEvent = 'post-install' | 'pre-upgrade' | 'post-upgrade';

/** An object that Helm creates at some events, those of a lower weight first, and leaves behind until the next time. */
export function hook(object: Manifest, events: readonly HookEvent[], weight: number): Manifest {
  const annotations = {
    ...object.metadata.annotations,
    'helm.sh/hook': events.join(','),
    'helm.sh/hook-weight': String(weight),
    'helm.sh/hook-delete-policy': 'before-hook-creation',
  };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** At which events Helm creates the object; none: it is part of the release. */
export function hookEvents({ metadata }: Manifest): readonly string[] {
  return metadata.annotations?.['helm.sh/hook']?.split(',') ?? [];
}

import { type Fields, isFields } from '../patch.ts';
import type { SeededService } from '../seed/services.ts';
import type { LiveShape } from '../seed/shape.ts';

function placeOf(object: Fields): string {
  const { namespace, name } = object.metadata as { readonly namespace?: string; readonly name: string };
  return `${String(object.kind)} ${namespace}/${name}`;
}

/** As a chart would render it: what controllers note on it is no part of that. */
function rendered(object: Fields): Fields {
  const metadata = object.metadata as Fields;
  const annotations = Object.entries(isFields(metadata.annotations) ? metadata.annotations : {}).filter(
    ([key]) => !key.startsWith('deployment.kubernetes.io/'),
  );
  return { ...object, metadata: { ...metadata, annotations: Object.fromEntries(annotations) } };
}

/**
 * What a chart renders in a world that is shaped like a cluster: the object of that cluster in place of the usual one, or undefined
 * when it has none. Helm's own records are not known there, so that what runs is taken for what was installed.
 */
export function likenessOf(
  live: LiveShape | undefined,
  service: SeededService,
  object: Fields,
): Fields | undefined {
  if (live === undefined) return object;
  const found = live.objects.find((each) => placeOf(each) === placeOf(object));
  if (found !== undefined) return rendered(found);
  return live.own.includes(`${service.namespace}/${service.name}`) ? object : undefined;
}

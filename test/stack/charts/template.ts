import { chartValue, chartValues } from '../manifests/chart-value.ts';
import type { Manifest } from '../manifests/manifest.ts';

/** Part of a template that stands for itself instead of being written as a JSON value. */
class Code {
  constructor(readonly text: string) {}
}

/** The template of an object: its JSON, with values where `chartValue` marks them. */
export function templateOf(object: Manifest): string {
  return print(object, '');
}

interface Container {
  readonly image: string;
  readonly env?: readonly { readonly name: string }[];
}

/** The template of the workload that the chart is for, which takes `replicaCount`, `image.tag` and `env`. */
export function workloadTemplateOf(object: Manifest, chart: string): string {
  const spec = object.spec as { template: { spec: { containers: readonly Container[] } } };
  const [first, ...more] = spec.template.spec.containers;
  if (first === undefined) throw new Error(`${object.metadata.name} has no container`);
  const containers = [{ ...first, env: environment(first.env ?? []) }, ...more].map((container) => ({
    ...container,
    image: container.image.replace(/:[^:]*$/, `:${chartValue('image.tag')}`),
  }));
  return print(
    {
      ...object,
      metadata: { ...object.metadata, labels: { ...object.metadata.labels, 'helm.sh/chart': chart } },
      spec: {
        ...spec,
        replicas: new Code('{{ .Values.replicaCount }}'),
        template: { ...spec.template, spec: { ...spec.template.spec, containers } },
      },
    },
    '',
  );
}

// A variable of the values takes the place of the chart's own one. YAML allows the comma behind the last entry.
function environment(own: readonly { readonly name: string }[]): Code {
  const kept = own.map(
    (entry) => `{{ if not (hasKey .Values.env "${entry.name}") }}${print(entry, '  ')},{{ end }}`,
  );
  const given =
    '{{ range $name, $value := .Values.env }}{"name": {{ $name | toJson }}, "value": {{ $value | toString | toJson }}},{{ end }}';
  return new Code(`[${[...kept, given].join('\n')}]`);
}

function print(value: unknown, indent: string): string {
  if (value instanceof Code) return value.text;
  if (typeof value === 'string') return printText(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  const lines = Array.isArray(value)
    ? value.map((item) => print(item, deeper))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([name, item]) => `${JSON.stringify(name)}: ${print(item, deeper)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  if (lines.length === 0) return `${open}${close}`;
  return `${open}\n${lines.map((line) => `${deeper}${line}`).join(',\n')}\n${indent}${close}`;
}

function printText(text: string): string {
  const paths = [...text.matchAll(chartValues)].map(([, path]) => `.Values.${path}`);
  if (paths.length === 0) return JSON.stringify(text).replaceAll('{{', '{{ "{{" }}');
  const format = JSON.stringify(text.replaceAll('%', '%%').replaceAll(chartValues, '%v'));
  return `{{ printf ${format} ${paths.join(' ')} | toJson }}`;
}

/** One sample of the Prometheus text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Every sample of a Prometheus (or OpenMetrics) text. Lines that are none are left out. */
export function parseExposition(text: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const sample = parseLine(line.trim());
    if (sample !== undefined) samples.push(sample);
  }
  return samples;
}

/** The samples of a metric that have these labels. */
export function selectSamples(
  samples: readonly Sample[],
  metric: string,
  labels: Readonly<Record<string, string>>,
): readonly Sample[] {
  const wanted = Object.entries(labels);
  return samples.filter(
    (sample) =>
      sample.name === metric &&
      wanted.every(([name, value]) => Object.hasOwn(sample.labels, name) && sample.labels[name] === value),
  );
}

function parseLine(line: string): Sample | undefined {
  if (line === '' || line.startsWith('#')) return undefined;
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0];
  if (name === undefined) return undefined;
  const rest = line.slice(name.length).trimStart();
  const labels = rest.startsWith('{') ? parseLabels(rest) : { labels: {}, end: 0 };
  if (labels === undefined) return undefined;
  const written = rest.slice(labels.end).trim().split(/\s+/)[0] ?? '';
  const value = parseValue(written);
  return value === undefined ? undefined : { name, labels: labels.labels, value };
}

function parseLabels(
  text: string,
): { readonly labels: Readonly<Record<string, string>>; readonly end: number } | undefined {
  const labels: Record<string, string> = {};
  const pair = /\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,?)/y;
  pair.lastIndex = 1;
  for (;;) {
    const start = pair.lastIndex;
    const match = pair.exec(text);
    if (match === null) {
      const end = /\s*\}/y;
      end.lastIndex = start;
      return end.test(text) ? { labels, end: end.lastIndex } : undefined;
    }
    const [, name = '', value = ''] = match;
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  }
}

function parseValue(text: string): number | undefined {
  if (/^[+]?Inf$/i.test(text)) return Number.POSITIVE_INFINITY;
  if (/^-Inf$/i.test(text)) return Number.NEGATIVE_INFINITY;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  return Number(text);
}

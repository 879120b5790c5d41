import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseExposition, selectSamples } from '../../../src/steps/metrics/exposition.ts';

const text = `# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="get", code = "200",} 3
   spaced   7.5e-1
msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9
rotation_mek_delta{kid="abc***xyz"} 12
empty{} 1
up_bucket{le="+Inf"} 5
inf +Inf
neg -Inf
broken{a="b} 1
{le="1"} 2
novalue
nan NaN
# {"exemplar"} 4
with_exemplar_total 9 # {trace="1"} 1
`;

test('reads every form of a sample, and leaves out what is none', () => {
  const samples = parseExposition(text);
  expect(samples.map(({ name, value }) => [name, value])).toEqual([
    ['http_requests_total', 1027],
    ['http_requests_total', 3],
    ['spaced', 0.75],
    ['msdos_file_access_time_seconds', 1.458255915e9],
    ['rotation_mek_delta', 12],
    ['empty', 1],
    ['up_bucket', 5],
    ['inf', Number.POSITIVE_INFINITY],
    ['neg', Number.NEGATIVE_INFINITY],
    ['with_exemplar_total', 9],
  ]);
  expect(samples[3]?.labels).toEqual({ path: 'C:\\DIR\\FILE.TXT', error: 'Cannot find file:\n"FILE.TXT"' });
});

test('selects by name and by labels that are really there', () => {
  const samples = parseExposition(text);
  expect(selectSamples(samples, 'http_requests_total', {})).toHaveLength(2);
  expect(selectSamples(samples, 'http_requests_total', { method: 'get' }).map(({ value }) => value)).toEqual([
    3,
  ]);
  expect(selectSamples(samples, 'http_requests_total', { constructor: 'x' })).toEqual([]);
  expect(selectSamples(samples, 'http_requests', {})).toEqual([]);
});

test('reads back what was written, whatever stands in a label', () => {
  const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/);
  const sample = fc.tuple(
    name,
    fc.dictionary(name, fc.string({ unit: 'grapheme' }), { maxKeys: 3 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
  const quote = (value: string) =>
    value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 4 }), (all) => {
      const lines = all.map(([metric, labels, value]) => {
        const pairs = Object.entries(labels).map(([key, item]) => `${key}="${quote(item)}"`);
        return `${metric}{${pairs.join(',')}} ${value}`;
      });
      const read = parseExposition(lines.join('\n'));
      expect(read.map((item) => [item.name, { ...item.labels }, item.value + 0])).toEqual(
        all.map(([a, b, c]) => [a, { ...b }, c + 0]),
      );
    }),
    { numRuns: 300 },
  );
});

import type { LeftOut, LiveReport } from '../rehearsal/live/report.ts';
import { safeLine } from './safe-text.ts';
import { wrapped } from './wrap.ts';

/** Objects that are left out for one reason and are named; the JSON has all of them. */
const MOST = 8;

function kinds({ live, namespaces }: LiveReport): string {
  const counted = live.map(({ kind, count }) => `${count} ${kind}`).join(', ');
  return `${counted}; looked at in the namespaces ${namespaces.join(', ')}`;
}

function leftOutLines(leftOut: readonly LeftOut[]): readonly string[] {
  const byWhy = new Map<string, string[]>();
  for (const { what, why } of leftOut) byWhy.set(why, [...(byWhy.get(why) ?? []), what]);
  return [...byWhy].map(([why, each]) => {
    const more = each.length > MOST ? ` and ${each.length - MOST} more` : '';
    return `${each.length}, ${why}: ${each.slice(0, MOST).join(', ')}${more}`;
  });
}

function part(title: string, lines: readonly string[], columns: number): string {
  if (lines.length === 0) return '';
  const rows = lines.flatMap((line) => {
    const [first = '', ...rest] = wrapped(safeLine(line), columns - 4, columns - 4);
    return [`  ${first}`, ...rest.map((row) => `    ${row}`)];
  });
  return `${title}\n${rows.join('\n')}\n`;
}

/** What of the world is as it is in the cluster, and what is not. */
export function liveText(report: LiveReport, columns: number): string {
  const { context, server, version, madeUp, simulated, otherwise, unready, leftOut } = report;
  return [
    `Shaped like the cluster of context ${safeLine(context)} (${safeLine(server)}, ${safeLine(version)}), which was read and not changed\n`,
    part('Live: as they were read', [kinds(report)], columns),
    part(
      'Made up',
      madeUp === 0
        ? []
        : [
            `${madeUp} values that look secret, or mention one, in environments, arguments, annotations and ConfigMaps`,
          ],
      columns,
    ),
    part('Simulated', simulated, columns),
    part('Otherwise in the cluster now', otherwise, columns),
    part('Not ready in the sandbox, so that a rehearsal of what needs it says nothing', unready, columns),
    part('Left out', leftOutLines(leftOut), columns),
  ].join('');
}

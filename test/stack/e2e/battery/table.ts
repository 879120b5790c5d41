/** One row of the table that is printed at the end. */
export interface Row {
  readonly runbook: string;
  readonly path: 'success' | 'failure' | 'kill';
  readonly outcome: string;
  readonly seconds: number;
}

export function lineOf({ runbook, path, outcome, seconds }: Row, width = 26): string {
  return `${runbook.padEnd(width)}  ${path.padEnd(7)}  ${seconds.toFixed(1).padStart(6)} s  ${outcome}`;
}

/** Runbook, what happened, how long it took; one line each, by name. */
export function tableOf(rows: readonly Row[]): string {
  const order = ['success', 'failure', 'kill'];
  const sorted = [...rows].sort(
    (one, other) =>
      one.runbook.localeCompare(other.runbook) || order.indexOf(one.path) - order.indexOf(other.path),
  );
  const width = Math.max(...rows.map(({ runbook }) => runbook.length), 7);
  const lines = sorted.map((row) => lineOf(row, width));
  const total = rows.reduce((sum, { seconds }) => sum + seconds, 0);
  return [...lines, `${rows.length} runs, ${Math.round(total)} s`].join('\n');
}

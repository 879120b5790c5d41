import { describe, expect, test } from 'vitest';
import type { Plan } from '../../src/engine/plan/plan.ts';
import { buildReport } from '../../src/output/report.ts';
import { reportHtml } from '../../src/output/report-html.ts';
import { reportMarkdown } from '../../src/output/report-markdown.ts';
import { badRun, goodRun } from '../fakes/recorded-run.ts';

const plan: Plan = {
  version: 1,
  tool: '0.0.0-test',
  createdAt: '2026-11-22T03:00:00.000Z',
  runbook: {
    name: 'restart-service',
    title: 'Restart one <b>service</b>',
    description: 'Rolling | restart',
    risk: 'medium',
    path: 'restart-service.yaml',
    digest: 'a'.repeat(64),
    files: [],
  },
  inputSpecs: {},
  inputs: {
    service: { type: 'string', value: 'nvcf-api', given: true },
    token: { type: 'secret', from: { env: 'RUNBOOK_SECRET_TOKEN' } },
  },
  cluster: undefined,
  sandbox: { seed: 1, faults: [] },
  locks: [],
  lockNamespace: 'nvcf',
  blocks: { preconditions: [], steps: [], verifications: [], rollback: [] },
  outputs: {},
  forecast: [],
  access: [],
  duration: { min: 0, max: 0, basis: '' },
  digest: 'b'.repeat(64),
};

describe('a report', () => {
  test('says who, what, when and how it ended', () => {
    const report = buildReport(plan, goodRun);
    expect(report).toMatchObject({
      run: '20261122-030000-abcd',
      outcome: 'done',
      exitCode: 0,
      seconds: 12,
      reason: 'ticket 17',
      inputs: { service: 'nvcf-api', token: '«secret»' },
      outputs: { pods: '1 of 1 ready' },
    });
    expect(report.people).toEqual(['started by alice@example.org (alice@bastion-1)']);
    expect(report.steps.map(({ id, verdict, seconds }) => [id, verdict, seconds])).toEqual([
      ['healthy', 'ok', 1],
      ['restart', 'ok', 6],
    ]);
  });

  test('of a run without an end says so', () => {
    expect(buildReport(plan, goodRun.slice(0, 7))).toMatchObject({
      outcome: 'unfinished',
      exitCode: undefined,
    });
    expect(buildReport(plan, goodRun.slice(0, 7)).steps.at(-1)).toMatchObject({
      id: 'restart',
      verdict: 'unfinished',
    });
  });

  test('as HTML lets no text become markup and loads nothing', () => {
    const html = reportHtml(buildReport(plan, badRun));
    expect(html).toContain('Restart one &lt;b&gt;service&lt;/b&gt;');
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).not.toContain('<script');
    expect(html).toContain("default-src 'none'");
    expect(html).not.toMatch(/(?:src|href)=/);
    expect(html).toContain('<td class="failed">failed</td>');
  });

  test('as Markdown keeps its tables whole', () => {
    const markdown = reportMarkdown(buildReport(plan, badRun));
    const rows = markdown.split('\n').filter((line) => line.startsWith('|'));
    const cells = rows.map((row) => row.replace(/\\\|/g, '').split('|').length - 2);
    expect(new Set(cells)).toEqual(new Set([2, 5, 4]));
    expect(markdown).toContain('Rolling \\| restart');
    expect(markdown).not.toContain('<script');
  });
});

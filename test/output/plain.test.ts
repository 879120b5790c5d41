import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../src/engine/run/event.ts';
import { createPlainRenderer } from '../../src/output/plain.ts';
import { memoryStreams } from '../fakes/memory-streams.ts';
import { badRun, goodRun } from '../fakes/recorded-run.ts';

function render(events: readonly RunEvent[], color = false): string {
  const streams = memoryStreams({ color });
  const renderer = createPlainRenderer(streams);
  for (const event of events) renderer.handle(event);
  expect(streams.out).toBe('');
  return streams.err;
}

describe('plain output', () => {
  test('is one line an event, with what a tired operator needs', () => {
    expect(
      render(goodRun),
    ).toBe(`03:00:00  run         20261122-030000-abcd: Restart one control plane service (by alice@example.org, alice@bastion-1)
                      reason: ticket 17
03:00:01  lock        holds nvcf/nvcf-api
03:00:03  start       healthy  Every pod is ready: pods of nvcf-api
03:00:04  ok          healthy  Every pod is ready (1s)
03:00:05  start       restart  Restart NVCF API: restart Deployment nvcf/nvcf-api
03:00:07  ...         restart  0 of 1 pods updated
03:00:09  ...         restart  1 of 1 pods updated
03:00:11  ok          restart  Restart NVCF API (6s)
03:00:12  done        1 changed, 1 read, took 12s
`);
  });

  test('shows a failure with its details, its next step, and terminal escapes as text', () => {
    const text = render(badRun);
    expect(text).toContain(`03:00:02  FAILED      restart  Restart NVCF API: pod nvcf-api-1 crashes (1s)
                      last log: \\x1b]0;pwned\\x07<script>alert(1)</script> | x
                      next: read the log
`);
    expect(text).toContain('rolled-back');
  });

  test('says the same with colour', () => {
    const escapes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
    const colored = render(badRun, true);
    expect(colored).not.toBe(render(badRun));
    expect(colored.replace(escapes, '')).toBe(render(badRun));
  });
});

import type { RunEvent } from '../engine/run/event.ts';
import type { Paint } from './colors.ts';
import { paint } from './colors.ts';
import { EventNarrator, type EventText, type Tone } from './event-text.ts';
import type { Renderer, Streams } from './renderer.ts';
import { safeBlock, safeLine } from './safe-text.ts';

const VERDICT_WIDTH = 12;

function toneOf(colors: Paint): Readonly<Record<Tone, (text: string) => string>> {
  return {
    start: colors.cyan,
    good: colors.green,
    bad: colors.red,
    attention: colors.yellow,
    neutral: colors.bold,
    quiet: colors.dim,
  };
}

/** '12:00:01  ok            restart  Restart NVCF API (1.2s)' and its details below it. */
export function formatLine(time: string, text: EventText, colors: Paint): string {
  const head = `${time.slice(11, 19)}  ${toneOf(colors)[text.tone](text.verdict.padEnd(VERDICT_WIDTH - 1))} `;
  const id = text.id === '' ? '' : `${safeLine(text.id)}  `;
  const details = text.details
    .flatMap((detail) => safeBlock(detail).split('\n'))
    .map((detail) => `${' '.repeat(10 + VERDICT_WIDTH)}${detail}\n`);
  return `${head}${id}${safeLine(text.text)}\n${details.join('')}`;
}

/** One line per event, for CI logs and for terminals that cannot redraw. Repeated progress is printed once. */
export function createPlainRenderer(streams: Streams): Renderer {
  const narrator = new EventNarrator();
  const colors = paint(streams.color);
  const lastProgress = new Map<string, string>();
  return {
    replay(events) {
      for (const event of events) narrator.narrate(event);
    },
    handle(event: RunEvent) {
      const text = narrator.narrate(event);
      if (text === undefined) return;
      if (event.type === 'progress') {
        if (lastProgress.get(text.id) === text.text) return;
        lastProgress.set(text.id, text.text);
      }
      streams.info(formatLine(event.time, text, colors));
    },
    pause: async () => undefined,
    resume: () => undefined,
    end: async () => undefined,
  };
}

import type { Renderer, Streams } from './renderer.ts';
import { safeJson } from './safe-text.ts';

/** One object per event on stdout: `{"version":1,"seq":…,"time":…,"type":…}`. Fields are only ever added within a version. */
export function createJsonRenderer(streams: Streams): Renderer {
  return {
    replay: () => undefined,
    handle(event) {
      if (event.type === 'action-started' || event.type === 'action-ended') return;
      streams.data(`${safeJson({ version: 1, ...event })}\n`);
    },
    pause: async () => undefined,
    resume: () => undefined,
    end: async () => undefined,
  };
}

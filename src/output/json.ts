import type { RunEvent } from '../engine/run/event.ts';
import type { Renderer, Streams } from './renderer.ts';
import { safeJson } from './safe-text.ts';

/** Who works on the run and with which version; its process id and start time stay in the journal, so that a seeded run repeats. */
function shown(event: RunEvent): object {
  if (event.type !== 'run-opened' && event.type !== 'run-continued') return event;
  const { actor, tool } = event.session;
  return { ...event, session: { actor, tool } };
}

/** One object per event on stdout: `{"version":1,"seq":…,"time":…,"type":…}`. Fields are only ever added within a version. */
export function createJsonRenderer(streams: Streams): Renderer {
  return {
    replay: () => undefined,
    handle(event) {
      if (event.type === 'action-started' || event.type === 'action-ended') return;
      streams.data(`${safeJson({ version: 1, ...shown(event) })}\n`);
    },
    pause: async () => undefined,
    resume: () => undefined,
    end: async () => undefined,
  };
}

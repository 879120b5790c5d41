import type { ReadContext } from '../../engine/step-type.ts';

const every = 500;

/** Shows what is given, the first time and then at most twice a second: a log keeps every line. */
export function sparing(ctx: ReadContext): (text: () => string) => void {
  const { clock } = ctx.services;
  let shown = Number.NEGATIVE_INFINITY;
  return (text) => {
    const now = clock.monotonic();
    if (now - shown < every) return;
    shown = now;
    ctx.progress({ text: text() });
  };
}

import { formatDuration } from '../duration.ts';
import type { View } from './decide-view.ts';
import type { Instance } from './state.ts';
import { forecastOf } from './structure.ts';

/** Why a change may not start: it, and the way back from everything that took effect, must fit before the end of the window. */
export function changeWindow(view: View, instance: Instance): string | undefined {
  const { plan, state, now } = view;
  if (state.windowEnd === undefined || instance.block === 'rollback') return undefined;
  const own = expected(view, instance.id);
  let back = own;
  for (let taken = state.taken; taken !== undefined; taken = taken.next) back += expected(view, taken.id);
  for (const forecast of plan.forecast)
    if (forecast.block === 'rollback') back += forecast.duration?.max ?? 0;
  if (now + own + back <= state.windowEnd) return undefined;
  const left = Math.max(0, state.windowEnd - now);
  const end = state.windowEnd;
  return `${instance.name} may take ${formatDuration(own)} and the way back ${formatDuration(back)}, but the window closes ${
    end <= now ? 'now' : `in ${formatDuration(left)}`
  }`;
}

// An undo is taken to last as long as what it undoes.
function expected(view: View, id: string): number {
  return forecastOf(view.plan, id)?.duration?.max ?? 0;
}

import type { RendererFactory } from './renderer.ts';

/** How a run is shown. One line each. */
export const renderers: Readonly<Record<string, () => Promise<RendererFactory>>> = {
  live: async () => (await import('./live.ts')).createLiveRenderer,
  plain: async () => {
    const { createPlainRenderer } = await import('./plain.ts');
    return (_plan, streams) => createPlainRenderer(streams);
  },
  json: async () => {
    const { createJsonRenderer } = await import('./json.ts');
    return (_plan, streams) => createJsonRenderer(streams);
  },
};

/** Without a terminal there is nothing to draw on; the text is the same. */
function possible(asked: string, terminal: boolean): string {
  return asked === 'live' && !terminal ? 'plain' : asked;
}

/** `--output` wins; otherwise a terminal gets the live view, everything else plain lines. */
export function chooseRenderer(
  asked: string | undefined,
  facts: { readonly terminal: boolean; readonly env: Readonly<Record<string, string | undefined>> },
): string {
  if (asked !== undefined) return possible(asked, facts.terminal);
  const { CI, TERM } = facts.env;
  return facts.terminal && TERM !== 'dumb' && (CI === undefined || CI === '' || CI === 'false')
    ? 'live'
    : 'plain';
}

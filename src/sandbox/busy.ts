let running = 0;
let watching = false;

// WebCrypto works in threads of its own, which no list of this process's requests names.
function watchWebCrypto(): void {
  if (watching) return;
  watching = true;
  const methods = Object.getPrototypeOf(globalThis.crypto.subtle) as Record<string, unknown>;
  for (const name of Object.getOwnPropertyNames(methods)) {
    const method = methods[name];
    if (typeof method !== 'function' || name === 'constructor') continue;
    methods[name] = function counted(this: unknown, ...given: unknown[]): unknown {
      const result: unknown = method.apply(this, given);
      if (!(result instanceof Promise)) return result;
      running += 1;
      const over = (): void => {
        running -= 1;
      };
      result.then(over, over);
      return result;
    };
  }
}

/** Requests of this process that are still on their way, whatever asked for them: files, name lookups, WebCrypto. */
export function hasPendingRequests(): boolean {
  watchWebCrypto();
  return running > 0 || process.getActiveResourcesInfo().some((name) => /Req/.test(name));
}

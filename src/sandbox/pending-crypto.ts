/** Operations of WebCrypto that work in another thread; Node lists them nowhere. */
const NAMES = [
  'encrypt',
  'decrypt',
  'sign',
  'verify',
  'digest',
  'deriveBits',
  'deriveKey',
  'generateKey',
  'importKey',
  'exportKey',
  'wrapKey',
  'unwrapKey',
] as const;

let pending = 0;
let watching = false;

/** From now on `isCryptoPending` knows of every operation that begins in this thread. */
export function watchCrypto(): void {
  if (watching) return;
  watching = true;
  const subtle = Object.getPrototypeOf(globalThis.crypto.subtle) as Record<
    string,
    (...given: readonly unknown[]) => Promise<unknown>
  >;
  for (const name of NAMES) {
    const original = subtle[name];
    if (original === undefined) continue;
    subtle[name] = async function watched(this: unknown, ...given) {
      pending += 1;
      try {
        return await original.apply(this, given);
      } finally {
        pending -= 1;
      }
    };
  }
}

export function isCryptoPending(): boolean {
  return pending > 0;
}

/** Made when it is first asked for, and then kept. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Made anew for another argument only: for several who ask about the same thing one after the other. */
export function latest<Argument, T>(make: (argument: Argument) => T): (argument: Argument) => T {
  let last: { readonly argument: Argument; readonly value: T } | undefined;
  return (argument) => {
    if (last === undefined || last.argument !== argument) last = { argument, value: make(argument) };
    return last.value;
  };
}

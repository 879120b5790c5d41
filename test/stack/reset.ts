export async function reset(): Promise<void> {
  throw new Error('not yet');
}

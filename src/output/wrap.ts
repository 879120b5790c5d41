/** Breaks text between words: the first row may be `first` wide, the others `rest`. A longer word is cut where the row ends. */
export function wrapped(text: string, first: number, rest: number): readonly string[] {
  const rows: string[] = [];
  let left = text;
  let width = Math.max(10, first);
  while (left.length > width) {
    const space = left.lastIndexOf(' ', width);
    const cut = space > width / 3 ? space : width;
    rows.push(left.slice(0, cut).trimEnd());
    left = left.slice(cut).trimStart();
    width = Math.max(10, rest);
  }
  return [...rows, left];
}

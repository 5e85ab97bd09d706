/** Looking at emitted text: where strings and brackets end. There are no regular expressions and templates in it. */

/** Where the next such character is that is in no brackets and no string, or the end of the text. */
export function nextOutside(text: string, from: number, wanted: string): number {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const c = text[i]!;
    if (depth === 0 && c === wanted) return i;
    if (c === '"' || c === "'") i = endOfString(text, i);
    else if ('([{'.includes(c)) depth++;
    else if (')]}'.includes(c)) depth--;
  }
  return text.length;
}

/** Where the string ends that begins at `start`. */
export function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== text[start]) i += text[i] === '\\' ? 2 : 1;
  return i;
}

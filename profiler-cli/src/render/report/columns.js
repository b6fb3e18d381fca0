// Columns of integers: digits of five bits, as vlq.rs writes them.

const DIGIT = new Uint8Array(128);
for (const [value, digit] of [
  ..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
].entries()) {
  DIGIT[digit.charCodeAt(0)] = value;
}

/** The numbers of a column. Above 2^53 they are the nearest ones that a double can be. */
function column(text) {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    if (DIGIT[text.charCodeAt(at)] < 32) count++;
  }
  const numbers = new Float64Array(count);
  let number = 0;
  let unit = 1;
  for (let at = 0, next = 0; at < text.length; at++) {
    const digit = DIGIT[text.charCodeAt(at)];
    number += (digit & 31) * unit;
    if (digit >= 32) {
      unit *= 32;
    } else {
      numbers[next++] = number;
      number = 0;
      unit = 1;
    }
  }
  return numbers;
}

/** The same for numbers of any sign. */
function signedColumn(text) {
  return column(text).map((number) => (number % 2 === 0 ? number / 2 : -(number + 1) / 2));
}

// Numbers and names as people read them, for every picture that has a script: the same words as in
// text.

function bytes(amount) {
  const names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let size = Math.abs(amount);
  if (size < 1024) return `${Math.round(amount)} B`;
  let unit = 0;
  // What would print as 1024.0 belongs to the next unit.
  while (size >= 1023.95 && unit + 1 < names.length) {
    size /= 1024;
    unit++;
  }
  return `${amount < 0 ? "-" : ""}${size.toFixed(1)} ${names[unit]}`;
}

function change(amount) {
  return (amount > 0 ? "+" : "") + bytes(amount);
}

function share(part, whole) {
  return whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "-";
}

function count(number) {
  return number.toLocaleString("en");
}

/** The last two parts of a function's path, without what it is generic over. */
function shortName(name) {
  if (name.length > 400) return name;
  let plain = name;
  for (let before = ""; before !== plain; ) {
    before = plain;
    plain = plain.replace(/(?:::)?<[^<>]*>/g, (part) => {
      // `<shop::Cart as core::ops::Drop>::drop` is `Cart::drop`.
      const type = part.startsWith("<") && /^<&?(?:mut )?([^ <>]+) as /.exec(part);
      return type ? type[1] : "";
    });
  }
  const parts = plain.split("::").filter(Boolean);
  return parts.slice(-2).join("::") || name;
}

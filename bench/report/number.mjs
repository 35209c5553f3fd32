// Numbers as they stand in the tables: three digits that mean something, no more.

/**
 * @param {number} value
 * @returns {string} as in "12,300", "0.152" or "0"
 */
export function number(value) {
  if (value === 0) return '0';
  const digits = Math.floor(Math.log10(Math.abs(value)));
  if (digits >= 3) {
    const unit = 10 ** (digits - 2);
    return (Math.round(value / unit) * unit).toLocaleString('en');
  }
  if (digits < -4) return value.toPrecision(2);
  return String(Number(value.toFixed(2 - digits)));
}

/**
 * @param {number | undefined} ratio
 * @returns {string} as in "0.82 ×", empty where there is none
 */
export function times(ratio) {
  return ratio === undefined ? '' : `${number(ratio)} ×`;
}

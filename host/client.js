// Where a request comes from, for the rates of what is open to everybody.

/**
 * The client's address; empty where it is not known. A header is believed only where the platform, or
 * a proxy that the operator named, is known to set it: anybody can send one.
 * @param {Request} request
 * @param {object} env
 * @returns {string}
 */
export function clientOf({ cf, headers }, env) {
  const named = env.CLIENT_ADDRESS_HEADER;
  if (named) return headers.get(named)?.split(',').at(-1).trim() ?? '';
  // workerd tells the address of whoever is connected, Cloudflare sets a header.
  if (typeof cf?.clientIp === 'string') return cf.clientIp;
  return cf?.colo ? (headers.get('cf-connecting-ip') ?? '') : '';
}

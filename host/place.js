// Where on earth a request came in, and which relay stands there for a queue. Only the platform
// knows places: where it names none, there are no relays, and a queue's object is asked directly.

/** Where the platform creates objects, by the continent; some continents are cut in two. */
const REGIONS = {
  AF: () => 'afr',
  AS: (longitude) => (longitude < 65 ? 'me' : 'apac'),
  EU: (longitude) => (longitude < 15 ? 'weur' : 'eeur'),
  NA: (longitude) => (longitude < -100 ? 'wnam' : 'enam'),
  OC: () => 'oc',
  SA: () => 'sam',
};
/** For a request that comes from no continent. */
const ELSEWHERE = 'enam';
/** The platform names a location by three letters. */
const COLO = /^[A-Z]{3}$/;

/**
 * The place of the relay that a request's location has: `region/location`.
 * @param {{colo?: string, continent?: string, longitude?: string} | undefined} cf
 * @returns {string | null} none where there are no relays
 */
export function placeOf(cf) {
  const colo = cf?.colo;
  if (typeof colo !== 'string' || !COLO.test(colo)) return null;
  const region = REGIONS[cf.continent]?.(Number(cf.longitude ?? 0)) ?? ELSEWHERE;
  return `${region}/${colo}`;
}

/**
 * Whom publishes for an object are brought to.
 * @param {object} env
 * @param {string} object
 * @param {string | null} place
 * @returns {import("./call.js").Target}
 */
export function targetOf(env, object, place) {
  if (place === null) return { namespace: env.QUEUE, object };
  return relay(env, `${object}@${place}`);
}

/**
 * @param {object} env
 * @param {string} object the relay's name; see src/command/placement.rs
 * @returns {import("./call.js").Target}
 */
export function relay(env, object) {
  const [region] = object.slice(object.lastIndexOf('@') + 1).split('/');
  return { namespace: env.RELAY, object, hint: region };
}
